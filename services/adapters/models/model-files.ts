// A model as a worker needs it: read once, verified, with its golden vectors as numbers.
//
// Read on the main thread: a worker that is started anew later gets the same bytes, whatever has
// happened on the disk meanwhile. Refused with WEIR_CLASSIFY_MODEL_REFUSED, all faults of a file at
// once: what model-folder.ts refuses, a manifest of another model, another feature set than the
// pipeline's, golden vectors of a wrong shape. Refused with WEIR_CLASSIFY_SIGNATURE_REFUSED, before
// the manifest is read or any other file is opened: a signature that is wrong, or missing where one
// is asked for. Invariant: no session ever sees a byte whose hash was not checked.

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
  noSignatures,
  type SignaturePolicy,
} from '../../models/manifest-signature.ts'
import { type Golden, parseGolden } from './golden-vectors.ts'
import { openModelFolder, readModelFile } from './model-folder.ts'

type ModelRole = 'champion' | 'challenger'

export type Graph = { readonly bytes: Uint8Array; readonly sha256: string }

/** Everything a worker needs to open and check a model; it survives structured cloning. */
export type ModelFiles = {
  readonly role: ModelRole
  readonly manifest: ModelManifest
  readonly cpu: Graph
  readonly gpu: Graph | null
  readonly golden: Golden
}

/** What the environment and the pipeline ask of every model. */
type ModelDemands = {
  /** The pipeline's feature names, in the vector's order. */
  readonly features: readonly string[]
  readonly signatures: SignaturePolicy
}

export const readModelFolder = async (
  reference: ModelReference,
  role: ModelRole,
  { features, signatures: policy }: ModelDemands,
): Promise<ModelFiles> => {
  const folder = join(reference.source, reference.name, reference.version)
  const { path, manifest: bytes, signatures } = await openModelFolder(folder)
  checkSignature(bytes, signatures, { policy, source: path })
  const manifest = parseManifest(bytes.toString(), path)
  refuseFaults(path, [
    ...identityFaults(manifest, reference),
    ...featureSetFaults(manifest, features),
  ])
  const read = (file: ManifestFile) => readModelFile(folder, manifest, file)
  const { cpu, gpu, golden } = manifest.files
  return {
    role,
    manifest,
    golden: parseGolden(await read(golden), join(folder, golden.path), features.length),
    cpu: { bytes: await read(cpu), sha256: cpu.sha256 },
    gpu: gpu === undefined ? null : { bytes: await read(gpu), sha256: gpu.sha256 },
  }
}

/** A folder by its path alone, for commands that score nothing: the features are its own. */
export const readGraphFolder = async (folder: string): Promise<ModelFiles> => {
  const { path, manifest } = await openModelFolder(folder)
  const { name, version, featureSet } = parseManifest(manifest.toString(), path)
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

const refuseFaults = (path: string, faults: readonly string[]): void => {
  if (faults.length === 0) return
  throw new WeirError('WEIR_CLASSIFY_MODEL_REFUSED', `${path}: ${faults.join('; ')}`)
}
