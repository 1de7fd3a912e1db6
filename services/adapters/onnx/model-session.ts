// One model in one worker: verified files in, a scoring function out, under the execution policy.
//
// The first run of a session scores the golden vectors, and is the run that is profiled: one
// session and one run prove the numbers and the provider. Refused: a graph that does not load on
// the CPU, other inputs or outputs than the manifest's, golden scores off by more than
// goldenDifferenceMax (WEIR_CLASSIFY_MODEL_REFUSED); a required provider that is absent or did not
// execute every node (WEIR_CLASSIFY_PROVIDER_REFUSED). Sessions are never released one by one,
// because that leaks in ONNX Runtime: a model lives as long as its worker.

import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { env, type InferenceSession, Tensor } from 'onnxruntime-node'
import { WeirError } from '../../core/errors.ts'
import type { ExecutionPolicy, ExecutionProvider } from '../../core/pipeline-definition.ts'
import type { ScoringModel } from '../../pipeline/records.ts'
import { goldenDifferenceMax } from '../models/golden-vectors.ts'
import type { ModelFiles } from '../models/model-files.ts'
import { attest, missedProvider } from './attestation.ts'
import { describeNoTensor, openGraph } from './open-graph.ts'
import { padRuns, type ScoreRows } from './padded-runs.ts'

// ONNX Runtime would write to stderr, past the log; what it reports is thrown or attested as well.
env.logLevel = 'fatal'

export type ModelSession = {
  readonly model: ScoringModel
  readonly score: ScoreRows
}

/** A provider of the policy that was passed over, and why. */
export type ProviderMiss = { readonly provider: ExecutionProvider; readonly reason: string }

type OpenedSession = ModelSession & { readonly misses: readonly ProviderMiss[] }

export const openModelSession = async (
  files: ModelFiles,
  policy: ExecutionPolicy,
): Promise<OpenedSession> => {
  const misses: ProviderMiss[] = []
  const providers = policy.isRequired ? policy.providers.slice(0, 1) : policy.providers
  for (const provider of providers) {
    const opened = await openOn(files, provider, policy.isRequired)
    if (typeof opened !== 'string') return { ...opened, misses }
    misses.push({ provider, reason: opened })
  }
  const reasons = misses.map(({ provider, reason }) => `${provider}: ${reason}`)
  throw new WeirError(
    'WEIR_CLASSIFY_PROVIDER_REFUSED',
    `${nameOf(files)}: ${reasons.join('; ')}; execution.providers in the pipeline file decides.`,
  )
}

/** The session, or the reason why the provider does not execute this model. */
const openOn = async (
  files: ModelFiles,
  provider: ExecutionProvider,
  isRequired: boolean,
): Promise<ModelSession | string> => {
  const graph = provider === 'cpu' ? files.cpu : files.gpu
  if (graph === null) return 'the manifest names no gpu graph'
  const profileFolder = await mkdtemp(join(tmpdir(), 'weir-profile-'))
  try {
    const session = await createSession(files, provider, join(profileFolder, 'run'))
    if (typeof session === 'string') {
      if (provider === 'cpu') throw refuse(files, `cpu graph does not load: ${session}`)
      return session
    }
    const width = files.manifest.featureSet.names.length
    const bare = scorerOf(session, files)
    const score = provider === 'cpu' ? bare : padRuns(bare, width)
    await checkGolden(score, files, provider)
    session.endProfiling()
    const attestation = attest(await readProfile(profileFolder))
    const { name, version } = files.manifest
    const model = { name, version, sha256: graph.sha256, provider: attestation.provider }
    return missedProvider(attestation, provider, isRequired) ?? { model, score }
  } finally {
    await rm(profileFolder, { recursive: true, force: true })
  }
}

const createSession = async (
  { manifest, cpu, gpu }: ModelFiles,
  provider: ExecutionProvider,
  profileFilePrefix: string,
): Promise<InferenceSession | string> => {
  try {
    return await openGraph(provider === 'cpu' ? cpu : gpu!, manifest, {
      executionProviders: [provider],
      graphOptimizationLevel: 'all',
      intraOpNumThreads: 1,
      interOpNumThreads: 1,
      enableProfiling: true,
      profileFilePrefix,
    })
  } catch (error) {
    if (error instanceof WeirError) throw error
    return (error as Error).message.trim()
  }
}

const readProfile = async (folder: string): Promise<[]> => {
  const [name] = await readdir(folder)
  if (name === undefined) throw new Error('ONNX Runtime wrote no profile')
  return JSON.parse(await readFile(join(folder, name), 'utf8'))
}

const scorerOf = (session: InferenceSession, files: ModelFiles): ScoreRows => {
  const { input, output, featureSet } = files.manifest
  const width = featureSet.names.length
  checkNames(session, files)
  return async (vectors, rows) => {
    const results = await session.run({ [input]: new Tensor('float32', vectors, [rows, width]) }, [
      output,
    ])
    return readScores(results[output]!, rows, files)
  }
}

const checkNames = (session: InferenceSession, files: ModelFiles): void => {
  const { input, output } = files.manifest
  const { inputNames, outputNames } = session
  if (inputNames.length !== 1 || inputNames[0] !== input) {
    throw refuse(files, `graph's inputs are [${inputNames}], the manifest says ${input}`)
  }
  if (!outputNames.includes(output)) {
    throw refuse(files, `graph's outputs are [${outputNames}], the manifest says ${output}`)
  }
  const noTensor = describeNoTensor(session, output)
  if (noTensor !== null) throw refuse(files, noTensor)
}

const readScores = (tensor: Tensor, rows: number, files: ModelFiles): Float32Array => {
  const { data, dims, type } = tensor
  const columns = dims.length === 1 ? 1 : dims[1]
  const isScores = type === 'float32' && dims.length <= 2 && dims[0] === rows
  if (!isScores || (columns !== 1 && columns !== 2)) {
    const found = `${type} [${dims}] for ${rows} rows`
    throw refuse(files, `output is ${found}, expected float32 [n], [n, 1] or [n, 2]`)
  }
  const values = data as Float32Array
  return columns === 1 ? values : Float32Array.from({ length: rows }, (_, i) => values[2 * i + 1]!)
}

const checkGolden = async (
  score: ScoreRows,
  files: ModelFiles,
  provider: ExecutionProvider,
): Promise<void> => {
  const { count, scores: expected } = files.golden
  const found = await runGolden(score, files)
  for (let row = 0; row < count; row++) {
    const difference = Math.abs(found[row]! - expected[row]!)
    if (difference <= goldenDifferenceMax) continue
    const what = `golden row ${row} scores ${found[row]} on ${provider}, expected ${expected[row]}`
    throw refuse(files, `${what} within ${goldenDifferenceMax}`)
  }
}

const runGolden = async (score: ScoreRows, files: ModelFiles): Promise<Float32Array> => {
  try {
    return await score(files.golden.vectors, files.golden.count)
  } catch (cause) {
    if (cause instanceof WeirError) throw cause
    throw refuse(files, `golden vectors do not run: ${(cause as Error).message}`, cause)
  }
}

const nameOf = ({ manifest }: ModelFiles): string => `${manifest.name} ${manifest.version}`

const refuse = (files: ModelFiles, detail: string, cause?: unknown): WeirError =>
  new WeirError('WEIR_CLASSIFY_MODEL_REFUSED', `${nameOf(files)}: ${detail}`, { cause })
