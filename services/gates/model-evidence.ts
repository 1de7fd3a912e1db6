// What the gates look at: a model's folder, read once, and what its graphs did in a process of
// their own.
//
// In: the folder, the signatures that are trusted, limits. Out: everything that was found, faults
// as text. Refused with WEIR_CLASSIFY_MODEL_REFUSED: a folder without a readable manifest.json,
// parity rows that are not in the form of golden vectors. Invariants: a file above the size limit
// is not read; no graph is opened unless every file has the manifest's hash, the signature is in
// order, and all bytes of the graphs are in their files.

import { readFileSync, statSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { type Golden, parseGolden } from '../adapters/models/golden-vectors.ts'
import type { GraphFacts } from '../adapters/models/graph-reader.ts'
import type { ModelFiles } from '../adapters/models/model-files.ts'
import { openModelFolder, readHashedFile, readWholeGraph } from '../adapters/models/model-folder.ts'
import { type TrialReport, tryGraph } from '../adapters/onnx/graph-trial.ts'
import { WeirError } from '../core/errors.ts'
import { featureSetFaults, type ModelManifest, parseManifest } from '../models/manifest.ts'
import { checkSignature, type SignaturePolicy } from '../models/manifest-signature.ts'
import type { FeatureExtremes } from '../pipeline/enrich/feature-extremes.ts'
import { type ExtremeRows, layExtremes } from './extreme-rows.ts'

/** What is right, or why it is not. */
type Found<T> = { readonly value: T } | { readonly fault: string }

type FileEvidence = {
  readonly role: 'cpu' | 'gpu' | 'golden' | 'parity'
  readonly path: string
  /** Null where it cannot be read. */
  readonly sizeBytes: number | null
  readonly bytes: Found<Uint8Array>
  /** What a graph asks for; a fault where not all of it is in its bytes. Null for other files. */
  readonly graph: Found<GraphFacts> | null
}

export type ModelEvidence = {
  readonly folder: string
  readonly manifestSha256: string
  readonly manifest: Found<ModelManifest>
  /** Id of the trusted key that signed; null where none is asked for. */
  readonly signature: Found<string | null>
  readonly files: readonly FileEvidence[]
  /** Rows with the training library's scores; null where nobody names some. */
  readonly parity: Found<Golden> | null
  /** Null where no pipeline file says what features can be, or the model has others. */
  readonly extremes: ExtremeRows | null
  /** Why no graph was opened, or what the graphs did. */
  readonly trial: Found<TrialReport>
}

type EvidenceTerms = {
  readonly signatures: SignaturePolicy
  readonly sizeBytesMax: number
  /** In place of the rows that the manifest names. */
  readonly parityFile: string | null
  readonly latencyRows: number | null
  /** What the pipeline's features can be; null where no pipeline file was given. */
  readonly extremes: readonly FeatureExtremes[] | null
}

export async function collectEvidence(place: string, terms: EvidenceTerms): Promise<ModelEvidence> {
  const folder = resolve(place)
  const { path, manifest: bytes, manifestSha256, signatures } = await openModelFolder(folder)
  const policy = terms.signatures
  const signature = attempt(() => checkSignature(bytes, signatures, { policy, source: path }))
  const manifest = attempt(() => parseManifest(bytes.toString(), path))
  const files =
    'value' in manifest ? await readFiles(folder, manifest.value, terms.sizeBytesMax) : []
  const parity = readParity({ folder, manifest, files }, terms.parityFile)
  const extremes = 'value' in manifest ? layOut(manifest.value, terms.extremes) : null
  const evidence = { folder, manifestSha256, manifest, signature, files, parity, extremes }
  return { ...evidence, trial: await tryOut(evidence, terms) }
}

function layOut(
  manifest: ModelManifest,
  extremes: readonly FeatureExtremes[] | null,
): ExtremeRows | null {
  if (extremes === null) return null
  const names = extremes.map(({ name }) => name)
  if (featureSetFaults(manifest, names).length > 0) return null
  return layExtremes(
    extremes,
    manifest.reference.features.map(({ median }) => median),
  )
}

async function tryOut(
  { folder, manifest, signature, files, parity: rows, extremes }: Omit<ModelEvidence, 'trial'>,
  { latencyRows }: EvidenceTerms,
): Promise<Found<TrialReport>> {
  if ('fault' in manifest) return { fault: 'the manifest is not in order' }
  if ('fault' in signature) return { fault: 'the signature is not in order' }
  const bad = files.find(({ bytes }) => 'fault' in bytes)
  if (bad !== undefined) return { fault: `${bad.path} is not the manifest's file` }
  const open = files.find(({ graph }) => graph !== null && 'fault' in graph)
  if (open !== undefined) return { fault: `${open.path} is not whole` }
  const width = manifest.value.featureSet.names.length
  const parity = rows !== null && 'value' in rows ? rows.value : null
  const goldenPath = join(folder, manifest.value.files.golden.path)
  const golden = attempt(() => parseGolden(bytesOf(files, 'golden')!, goldenPath, width))
  if ('fault' in golden) return golden
  const model = composeFiles(manifest.value, files, golden.value)
  const vectors = extremes?.vectors ?? null
  return { value: await tryGraph({ files: model, parity, extremes: vectors, latencyRows }) }
}

/** Rows that somebody names must be readable; the manifest's are the model's fault. */
function readParity(
  { folder, manifest, files }: Pick<ModelEvidence, 'folder' | 'manifest' | 'files'>,
  parityFile: string | null,
): Found<Golden> | null {
  if ('fault' in manifest) return { fault: 'the manifest is not in order' }
  const width = manifest.value.featureSet.names.length
  if (parityFile !== null) {
    return { value: parseGolden(readOrRefuse(parityFile), parityFile, width) }
  }
  const named = files.find(({ role }) => role === 'parity')
  if (named === undefined) return null
  const { path, bytes } = named
  return 'fault' in bytes
    ? bytes
    : attempt(() => parseGolden(bytes.value, join(folder, path), width))
}

function composeFiles(
  manifest: ModelManifest,
  files: readonly FileEvidence[],
  golden: Golden,
): ModelFiles {
  const gpu = bytesOf(files, 'gpu')
  const { cpu: cpuFile, gpu: gpuFile } = manifest.files
  return {
    role: 'challenger',
    manifest,
    cpu: { bytes: bytesOf(files, 'cpu')!, sha256: cpuFile.sha256 },
    gpu: gpu === null ? null : { bytes: gpu, sha256: gpuFile!.sha256 },
    golden,
  }
}

function bytesOf(files: readonly FileEvidence[], role: FileEvidence['role']): Uint8Array | null {
  const bytes = files.find((file) => file.role === role)?.bytes
  return bytes !== undefined && 'value' in bytes ? bytes.value : null
}

async function readFiles(
  folder: string,
  manifest: ModelManifest,
  sizeBytesMax: number,
): Promise<FileEvidence[]> {
  const found: FileEvidence[] = []
  for (const role of ['cpu', 'gpu', 'golden', 'parity'] as const) {
    const file = manifest.files[role]
    if (file === undefined) continue
    const path = join(folder, file.path)
    const sizeBytes = statSync(path, { throwIfNoEntry: false })?.size ?? null
    const isReadable = sizeBytes !== null && sizeBytes <= sizeBytesMax
    const bytes: Found<Uint8Array> = isReadable
      ? await attemptAll(readHashedFile(path, file.sha256))
      : { fault: sizeBytes === null ? 'there is no such file' : 'too large to be read' }
    const graph = role === 'cpu' || role === 'gpu' ? lookInto(file.path, bytes) : null
    found.push({ role, path: file.path, sizeBytes, bytes, graph })
  }
  return found
}

const lookInto = (path: string, bytes: Found<Uint8Array>): Found<GraphFacts> =>
  'fault' in bytes ? { fault: 'not read' } : attempt(() => readWholeGraph(path, bytes.value))

function readOrRefuse(path: string): Buffer {
  try {
    return readFileSync(path)
  } catch (cause) {
    const detail = `${path} cannot be read: ${(cause as Error).message}`
    throw new WeirError('WEIR_CLASSIFY_MODEL_REFUSED', detail, { cause })
  }
}

const attemptAll = <T>(work: Promise<T>): Promise<Found<T>> =>
  work.then(
    (value) => ({ value }),
    (error: Error) => ({ fault: error.message }),
  )

export function attempt<T>(work: () => T): Found<T> {
  try {
    return { value: work() }
  } catch (error) {
    return { fault: (error as Error).message }
  }
}
