// <source>/<name>/<version>/ in, a model's verified bytes out.
//
// Read once, on the main thread: a worker that is started anew later gets the same bytes, whatever
// has happened on the disk meanwhile. Refused with WEIR_CLASSIFY_MODEL_REFUSED, all faults of a file
// at once: an unreadable file, a manifest with faults or of another model, a sha-256 that is not
// the manifest's, another feature set than the pipeline's, golden vectors of a wrong shape.
// Refused with WEIR_CLASSIFY_SIGNATURE_REFUSED, before the manifest is read or any other file is opened: a
// signature that is wrong, or missing where one is asked for.
// Invariant: no session ever sees a byte whose hash was not checked.

import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { WeirError } from '../../core/errors.ts'
import type { ModelReference } from '../../core/pipeline-definition.ts'
import {
  featureSetFaults,
  type ManifestFile,
  type ModelManifest,
  parseManifest,
} from '../../models/manifest.ts'
import {
  checkSignature,
  manifestFileName,
  noSignatures,
  type SignaturePolicy,
  signatureFileName,
} from '../../models/manifest-signature.ts'

type ModelRole = 'champion' | 'challenger'

export type Golden = {
  readonly count: number
  /** count x features. */
  readonly vectors: Float32Array
  readonly scores: Float32Array
}

export type Graph = { readonly bytes: Uint8Array; readonly sha256: string }

/** Everything a worker needs to open and check a model; it survives structured cloning. */
export type ModelFiles = {
  readonly role: ModelRole
  readonly manifest: ModelManifest
  readonly cpu: Graph
  readonly gpu: Graph | null
  readonly golden: Golden
}

/** What two right implementations of one model may differ by. */
export const goldenDifferenceMax = 1e-5

/** Fewer rows than this do not cover the bands and branches of a model. */
const goldenRowsMin = 32

/** What the place and the pipeline ask of every model. */
type ModelDemands = {
  /** The pipeline's feature names, in the vector's order. */
  readonly features: readonly string[]
  readonly signatures: SignaturePolicy
}

export const readModelFolder = async (
  reference: ModelReference,
  role: ModelRole,
  { features, signatures }: ModelDemands,
): Promise<ModelFiles> => {
  const folder = join(reference.source, reference.name, reference.version)
  const path = join(folder, manifestFileName)
  const bytes = await readBytes(path)
  const found = await readSignatures(folder)
  checkSignature(bytes, found, { policy: signatures, source: path })
  const manifest = parseManifest(bytes.toString(), path)
  refuseFaults(path, [
    ...identityFaults(manifest, reference),
    ...featureSetFaults(manifest, features),
  ])
  const { cpu, gpu, golden } = manifest.files
  const goldenBytes = await readVerified(folder, golden)
  return {
    role,
    manifest,
    cpu: await readVerified(folder, cpu),
    gpu: gpu === undefined ? null : await readVerified(folder, gpu),
    golden: parseGolden(goldenBytes.bytes, join(folder, golden.path), features.length),
  }
}

/** A folder by its path alone, for entry points that score nothing: the features are its own. */
export const readGraphFolder = async (folder: string): Promise<ModelFiles> => {
  const path = join(folder, 'manifest.json')
  const { name, version, featureSet } = parseManifest((await readBytes(path)).toString(), path)
  const versions = dirname(folder)
  if (basename(folder) !== version || basename(versions) !== name) {
    refuseFaults(path, [`manifest is of ${name}/${version}, expected its folder to be called so`])
  }
  const reference = { name, version, source: dirname(versions) }
  const demands = { features: featureSet.names, signatures: noSignatures }
  return readModelFolder(reference, 'champion', demands)
}

const identityFaults = (manifest: ModelManifest, reference: ModelReference): readonly string[] => {
  const found = `${manifest.name} ${manifest.version}`
  const wanted = `${reference.name} ${reference.version}`
  return found === wanted ? [] : [`manifest is of ${found}, the pipeline file asks for ${wanted}`]
}

const readVerified = async (folder: string, file: ManifestFile): Promise<Graph> => {
  const path = join(folder, file.path)
  const bytes = await readBytes(path)
  const sha256 = createHash('sha256').update(bytes).digest('hex')
  if (sha256 !== file.sha256) {
    refuseFaults(path, [`sha-256 is ${sha256}, the manifest says ${file.sha256}`])
  }
  return { bytes, sha256 }
}

const readSignatures = async (folder: string): Promise<string | null> => {
  const path = join(folder, signatureFileName)
  try {
    return await readFile(path, 'utf8')
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return null
    const detail = `${path} cannot be read: ${(cause as Error).message}`
    throw new WeirError('WEIR_CLASSIFY_MODEL_REFUSED', detail, { cause })
  }
}

const readBytes = async (path: string): Promise<Buffer> => {
  try {
    return await readFile(path)
  } catch (cause) {
    const detail = `${path} cannot be read; check model.source, name and version in the pipeline file`
    throw new WeirError('WEIR_CLASSIFY_MODEL_REFUSED', detail, { cause })
  }
}

export const parseGolden = (bytes: Uint8Array, path: string, width: number): Golden => {
  const { vectors, scores } = parseGoldenJson(bytes, path)
  const count = scores.length
  const faults: string[] = []
  if (count < goldenRowsMin) faults.push(`${count} rows, expected at least ${goldenRowsMin}`)
  if (vectors.length !== count) faults.push(`${vectors.length} vectors for ${count} scores`)
  const narrow = vectors.findIndex((row) => !Array.isArray(row) || row.length !== width)
  if (narrow >= 0) faults.push(`vector ${narrow} does not have ${width} values`)
  const odd = vectors.findIndex((row) => Array.isArray(row) && !row.every(Number.isFinite))
  if (odd >= 0) faults.push(`vector ${odd} holds something that is not a number`)
  const wrong = scores.findIndex(
    (score) => !(typeof score === 'number' && score >= 0 && score <= 1),
  )
  if (wrong >= 0) faults.push(`score ${wrong} is ${scores[wrong]}, expected 0 to 1`)
  refuseFaults(path, faults)
  return {
    count,
    vectors: Float32Array.from((vectors as number[][]).flat()),
    scores: Float32Array.from(scores as number[]),
  }
}

type GoldenJson = { readonly vectors: readonly unknown[][]; readonly scores: readonly unknown[] }

const parseGoldenJson = (bytes: Uint8Array, path: string): GoldenJson => {
  let document: Partial<GoldenJson> | null = null
  try {
    document = JSON.parse(Buffer.from(bytes).toString())
  } catch (cause) {
    refuseFaults(path, [`not JSON: ${(cause as Error).message}`])
  }
  const isWhole = Array.isArray(document?.vectors) && Array.isArray(document.scores)
  if (!isWhole) refuseFaults(path, ['expected an object of two lists, vectors and scores'])
  return document as GoldenJson
}

const refuseFaults = (path: string, faults: readonly string[]): void => {
  if (faults.length === 0) return
  throw new WeirError('WEIR_CLASSIFY_MODEL_REFUSED', `${path}: ${faults.join('; ')}`)
}
