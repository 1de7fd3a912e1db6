// The one reader of a model's folder: manifest, signatures and files, each held against its hash.
//
// In: the folder that holds manifest.json. Out: bytes. Refused with WEIR_CLASSIFY_MODEL_REFUSED: a
// file that cannot be read (the cause says why), a manifest with faults, a hash that is not the
// manifest's (HashMismatch), a graph that is no ONNX file; with WEIR_CLASSIFY_EXTERNAL_DATA: a
// graph with tensors in other files, for the runtime would read those unhashed. Invariant: what is
// handed on is exactly what was hashed, and all of it.

import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { WeirError } from '../../core/errors.ts'
import { type ManifestFile, type ModelManifest, parseManifest } from '../../models/manifest.ts'
import { manifestFileName, signatureFileName } from '../../models/manifest-signature.ts'
import { type GraphFacts, readGraph } from './graph-reader.ts'

/** A model on its way in or out; `files` are those that the manifest names, verified. */
export type IncomingModel = {
  readonly manifest: Buffer
  readonly signatures: string | null
  readonly files: ReadonlyMap<string, Uint8Array>
}

export type ModelParts = IncomingModel & {
  readonly parsed: ModelManifest
  readonly manifestSha256: string
}

/** The folder's manifest and who signed it, before either is believed. */
type OpenedFolder = {
  readonly path: string
  readonly manifest: Buffer
  readonly manifestSha256: string
  /** Null where there is no such file. */
  readonly signatures: string | null
}

/** Bytes that are not those that the manifest knows: changed, not merely unreadable. */
export class HashMismatch extends WeirError {
  constructor(path: string, found: string, expected: string) {
    super(
      'WEIR_CLASSIFY_MODEL_REFUSED',
      `${path}: sha-256 is ${found}, the manifest says ${expected}`,
    )
  }
}

export const sha256Of = (bytes: Uint8Array | string): string =>
  createHash('sha256').update(bytes).digest('hex')

/** Files of a manifest by name; cpu and gpu may be the same. */
export const filesOf = ({ files }: ModelManifest): ReadonlyMap<string, ManifestFile> =>
  new Map(Object.values(files).map((file) => [file.path, file]))

export async function openModelFolder(folder: string): Promise<OpenedFolder> {
  const path = join(folder, manifestFileName)
  const manifest = await readBytes(path)
  const signatures = await readSignatures(join(folder, signatureFileName))
  return { path, manifest, manifestSha256: sha256Of(manifest), signatures }
}

/** Everything that the manifest names. */
export async function readModelParts(folder: string): Promise<ModelParts> {
  const { path, ...opened } = await openModelFolder(folder)
  const parsed = parseManifest(opened.manifest.toString(), path)
  const files = new Map<string, Uint8Array>()
  for (const [name, file] of filesOf(parsed)) {
    files.set(name, await readModelFile(folder, parsed, file))
  }
  return { ...opened, parsed, files }
}

export async function readModelFile(
  folder: string,
  manifest: ModelManifest,
  file: ManifestFile,
): Promise<Uint8Array> {
  const path = join(folder, file.path)
  const bytes = await readBytes(path)
  checkModelFile({ path, bytes, manifest, file })
  return bytes
}

/** The hash alone, for who tells apart what else may be wrong. */
export async function readHashedFile(path: string, sha256: string): Promise<Uint8Array> {
  const bytes = await readBytes(path)
  checkHash(path, bytes, sha256)
  return bytes
}

function checkHash(path: string, bytes: Uint8Array, expected: string): void {
  const found = sha256Of(bytes)
  if (found !== expected) throw new HashMismatch(path, found, expected)
}

/** For bytes that came from elsewhere; `path` names them in the refusal. */
export function checkModelFile(options: {
  readonly path: string
  readonly bytes: Uint8Array
  readonly manifest: ModelManifest
  readonly file: ManifestFile
}): void {
  const { path, bytes, manifest, file } = options
  checkHash(path, bytes, file.sha256)
  const { cpu, gpu } = manifest.files
  if (file.path === cpu.path || file.path === gpu?.path) readWholeGraph(path, bytes)
}

/** Facts of a graph that the runtime may open: it finds all bytes of it here. */
export function readWholeGraph(path: string, bytes: Uint8Array): GraphFacts {
  const facts = readOrRefuse(path, bytes)
  const names = facts.externalTensors
  if (names.length === 0) return facts
  const shown = names.slice(0, 5).join(', ') + (names.length > 5 ? ', ...' : '')
  throw new WeirError(
    'WEIR_CLASSIFY_EXTERNAL_DATA',
    `${path}: ${names.length} of its tensors (${shown}) lie in other files, expected all in the ` +
      'graph: onnx.save(..., save_as_external_data=False), torch.onnx.export(..., external_data=False).',
  )
}

function readOrRefuse(path: string, bytes: Uint8Array): GraphFacts {
  try {
    return readGraph(bytes)
  } catch (cause) {
    throw refuse(`${path} is no graph that can be looked into: ${(cause as Error).message}`, cause)
  }
}

async function readSignatures(path: string): Promise<string | null> {
  try {
    return await readFile(path, 'utf8')
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return null
    throw refuse(`${path} cannot be read: ${(cause as Error).message}`, cause)
  }
}

async function readBytes(path: string): Promise<Buffer> {
  try {
    return await readFile(path)
  } catch (cause) {
    const expected =
      'expected a folder as training writes it: check the path, or model.source, name and version ' +
      'in the pipeline file'
    throw refuse(`${path} cannot be read (${(cause as Error).message}); ${expected}`, cause)
  }
}

const refuse = (detail: string, cause?: unknown): WeirError =>
  new WeirError('WEIR_CLASSIFY_MODEL_REFUSED', detail, { cause })
