// From which batch size on a GPU pays: rows/s by graph, provider and batch size.
//
// In: the pipeline's champion, and a small network of the test models beside it. Out: what each
// graph reaches on each provider, in one worker as the scorer has it, and the fastest per batch
// size. Refused: models that readModelFolder refuses. A provider that is absent, or that did not
// execute the graph, is told with its reason and not measured. Invariants: a figure bears the
// provider that was attested, never the one asked for; every score of every run is held against the
// CPU's.

import { basename, join } from 'node:path'
import { repositoryFolder } from '../../../dev/stack/repository.ts'
import {
  type ModelFiles,
  readGraphFolder,
  readModelFolder,
} from '../../../services/adapters/models/model-files.ts'
import { ModelWorker } from '../../../services/adapters/onnx/model-worker.ts'
import type {
  ExecutionProvider,
  PipelineDefinition,
} from '../../../services/core/pipeline-definition.ts'
import { noSignatures } from '../../../services/models/manifest-signature.ts'
import { medianOf } from '../measure/quantiles.ts'

export type Form = 'tree ensemble' | 'tensors'

type Cell = {
  readonly model: string
  readonly form: Form
  /** As attested; of a miss, as asked for. */
  readonly provider: string
}

export type CrossoverRow = Cell & {
  readonly batch: number
  readonly rowsPerSecond: number
  /** Median, from the caller's vectors to its scores. */
  readonly runMs: number
  readonly runs: number
  /** False where no policy would have a scorer run this graph there. */
  readonly isForScoring: boolean
}

export type CrossoverMiss = Cell & { readonly reason: string }

export type CrossoverPick = {
  readonly model: string
  readonly batch: number
  readonly provider: string
}

export type CrossoverCase = {
  readonly case: 'crossover'
  /** Of measuring, for each graph, provider and batch size. */
  readonly seconds: number
  /**
   * File name of WebGPU's driver where the environment names one: SwiftShader's computes on the
   * CPU.
   */
  readonly vulkanDriver: string | null
  readonly rows: readonly CrossoverRow[]
  readonly misses: readonly CrossoverMiss[]
  readonly picks: readonly CrossoverPick[]
  /** Largest difference of any score from the one that the model's own graph gives on the CPU. */
  readonly differenceMax: number
}

export type CrossoverOptions = {
  readonly definition: Pick<PipelineDefinition, 'model' | 'features'>
  readonly seconds: number
  readonly say: (line: string) => void
  readonly batches?: readonly number[]
}

export const crossoverBatches = [1, 8, 64, 512, 2_048, 8_192] as const
const networkFolder = join(repositoryFolder, 'test', 'fixtures', 'models', 'network', '1')
/** A run that takes this long is its own rehearsal. */
const slowRunMs = 10_000
const noReasons = 2

type Try = {
  readonly files: ModelFiles
  readonly form: Form
  readonly provider: ExecutionProvider
  readonly isForScoring: boolean
}

/** Rows in plenty, with the scores that the model's own graph gives them on the CPU. */
type Pool = { readonly vectors: Float32Array; readonly scores: Float32Array }

export async function runCrossover(options: CrossoverOptions): Promise<CrossoverCase> {
  const { definition, seconds, say, batches = crossoverBatches } = options
  const features = definition.features.map(({ name }) => name)
  const demands = { features, signatures: noSignatures }
  const models = [
    await readModelFolder(definition.model.champion, 'champion', demands),
    await readGraphFolder(networkFolder),
  ]
  const rows: CrossoverRow[] = []
  const misses: CrossoverMiss[] = []
  let differenceMax = 0
  for (const files of models) {
    const pool = await fillPool(files, Math.max(...batches))
    for (const one of triesOf(files)) {
      const found = await measureTry(one, { pool, batches, seconds, say })
      rows.push(...found.rows)
      misses.push(...found.misses)
      differenceMax = Math.max(differenceMax, found.differenceMax)
    }
  }
  const driver = process.env.VK_DRIVER_FILES
  const vulkanDriver = driver === undefined ? null : basename(driver)
  const picks = findFastest(rows).map(({ model, batch, provider }) => ({ model, batch, provider }))
  return { case: 'crossover', seconds, vulkanDriver, rows, misses, picks, differenceMax }
}

/** The fastest for each model and batch size, of what a scorer would run. */
export function findFastest(rows: readonly CrossoverRow[]): readonly CrossoverRow[] {
  const fastest = new Map<string, CrossoverRow>()
  for (const row of rows.filter(({ isForScoring }) => isForScoring)) {
    const key = `${row.model}/${row.batch}`
    const best = fastest.get(key)
    if (best === undefined || row.rowsPerSecond > best.rowsPerSecond) fastest.set(key, row)
  }
  return [...fastest.values()]
}

/** The model's graph on the CPU, the GPU's graph there to compare with, and on each accelerator. */
function triesOf(files: ModelFiles): readonly Try[] {
  const { cpu, gpu } = files
  const own: Try = { files, form: formOf(cpu.bytes), provider: 'cpu', isForScoring: true }
  if (gpu === null) return [own]
  const form = formOf(gpu.bytes)
  const beside: Try = { files: { ...files, cpu: gpu }, form, provider: 'cpu', isForScoring: false }
  return [
    own,
    ...(gpu.sha256 === cpu.sha256 ? [] : [beside]),
    { files, form, provider: 'webgpu', isForScoring: true },
    { files, form, provider: 'cuda', isForScoring: true },
  ]
}

/** Operators' names stand in a graph as text. */
const formOf = (graph: Uint8Array): Form =>
  Buffer.from(graph).includes('TreeEnsemble') ? 'tree ensemble' : 'tensors'

type Measuring = {
  readonly pool: Pool
  readonly batches: readonly number[]
  readonly seconds: number
  readonly say: (line: string) => void
}

async function measureTry(one: Try, measuring: Measuring) {
  const { files, form, provider, isForScoring } = one
  const { batches, say } = measuring
  const model = nameOf(files)
  const rows: CrossoverRow[] = []
  const miss = (reason: string): CrossoverMiss => {
    say(`${model}, ${form}: not measured on ${provider}: ${reason}`)
    return { model, form, provider, reason: withoutPaths(reason) }
  }
  let differenceMax = 0
  const worker = await openWorker(files, provider, Math.max(...batches))
  try {
    const [passed] = worker.loaded[0]!.misses
    if (passed !== undefined) return { rows, misses: [miss(passed.reason)], differenceMax }
    const attested = worker.loaded[0]!.model.provider
    for (const batch of batches) {
      const { times, difference } = await measureBatch(worker, files, { ...measuring, batch })
      differenceMax = Math.max(differenceMax, difference)
      const runMs = medianOf(times)
      const rowsPerSecond = (batch / runMs) * 1_000
      const speed = { batch, rowsPerSecond, runMs, runs: times.length }
      rows.push({ model, form, provider: attested, ...speed, isForScoring })
      say(`${model}, ${form} on ${attested}: ${Math.round(rowsPerSecond)} rows/s by ${batch}`)
    }
    return { rows, misses: [], differenceMax }
  } catch (error) {
    return { rows, misses: [miss((error as Error).message)], differenceMax }
  } finally {
    await worker.close()
  }
}

/** Begins anew at another row each time, so that no branch is foretold from the run before. */
async function measureBatch(
  worker: ModelWorker,
  files: ModelFiles,
  { pool, batch, seconds }: Measuring & { readonly batch: number },
) {
  const width = files.manifest.featureSet.names.length
  const places = Math.floor(pool.scores.length / batch)
  const times: number[] = []
  let difference = 0
  const run = async (from: number): Promise<number> => {
    const vectors = pool.vectors.subarray(from * width, (from + batch) * width)
    const startedMs = performance.now()
    const { scores } = await worker.run([{ count: batch, vectors, reasonsFrom: noReasons }])
    const tookMs = performance.now() - startedMs
    difference = Math.max(difference, differenceOf(scores[0]!, pool.scores.subarray(from)))
    return tookMs
  }
  const firstMs = await run(0)
  if (firstMs >= slowRunMs) return { times: [firstMs], difference }
  const untilMs = performance.now() + seconds * 1_000
  for (let i = 1; i === 1 || performance.now() < untilMs; i++) {
    times.push(await run((i % places) * batch))
  }
  return { times, difference }
}

/** A score that is no number is as far off as can be. */
export function differenceOf(found: Float32Array, expected: Float32Array): number {
  let largest = 0
  for (const [row, score] of found.entries()) {
    const difference = Math.abs(score - expected[row]!)
    largest = Number.isNaN(difference) ? Number.POSITIVE_INFINITY : Math.max(largest, difference)
  }
  return largest
}

/** Each value of a row from another golden vector: as many different rows as are wanted. */
async function fillPool(files: ModelFiles, batchMax: number): Promise<Pool> {
  const { golden, manifest } = files
  const width = manifest.featureSet.names.length
  const count = 2 * batchMax
  const vectors = Float32Array.from({ length: count * width }, (_, i) => {
    return golden.vectors[(scramble(i) % golden.count) * width + (i % width)]!
  })
  const worker = await openWorker(files, 'cpu', count)
  try {
    const { scores } = await worker.run([{ count, vectors, reasonsFrom: noReasons }])
    return { vectors, scores: scores[0]! }
  } finally {
    await worker.close()
  }
}

/**
 * The same number for ever, and without a pattern that branches could be foretold by (lowbias32).
 */
function scramble(index: number): number {
  const first = Math.imul(index ^ (index >>> 16), 0x21f0_aaad)
  const second = Math.imul(first ^ (first >>> 15), 0x735a_2d97)
  return (second ^ (second >>> 15)) >>> 0
}

/** The CPU stands behind, so that a provider that is passed over is a reason and not an error. */
const openWorker = (files: ModelFiles, provider: ExecutionProvider, rowsMax: number) =>
  ModelWorker.start({
    models: [files],
    policy: { providers: [...new Set([provider, 'cpu' as const])], isRequired: false, workers: 1 },
    rowsMax,
  })

const nameOf = ({ manifest }: ModelFiles): string => `${manifest.name} ${manifest.version}`

/**
 * Results are kept and read elsewhere: the folders of this machine are left out, as are line ends.
 */
export const withoutPaths = (text: string): string =>
  text.replace(/\S*\/(?=[^\s/])/g, '').replace(/\s+/g, ' ')
