// A model's folder on its way out: manifest, signatures and every file, read once and verified.
//
// In: the folder that holds manifest.json. Refused with WEIR_CLASSIFY_MODEL_REFUSED: a file that cannot be
// read, a manifest with faults, a hash that is not the manifest's. Invariant: what is handed on is exactly
// what was hashed.

import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { WeirError } from '../../core/errors.ts'
import { type ModelManifest, parseManifest } from '../../models/manifest.ts'
import { manifestFileName, signatureFileName } from '../../models/manifest-signature.ts'
import { filesOf, type IncomingModel, sha256Of } from './model-cache.ts'

export type ModelParts = IncomingModel & {
  readonly parsed: ModelManifest
  readonly manifestSha256: string
}

export async function readModelParts(folder: string): Promise<ModelParts> {
  const path = join(folder, manifestFileName)
  const manifest = await readPart(path)
  const parsed = parseManifest(manifest.toString(), path)
  const files = new Map<string, Uint8Array>()
  for (const [file, expected] of filesOf(parsed)) {
    const bytes = await readPart(join(folder, file))
    const found = sha256Of(bytes)
    if (found !== expected) {
      throw refuse(`${join(folder, file)}: sha-256 is ${found}, the manifest says ${expected}.`)
    }
    files.set(file, bytes)
  }
  const signatures = await readSignatures(folder)
  return { parsed, manifest, manifestSha256: sha256Of(manifest), files, signatures }
}

/** null where there is no such file; one that cannot be read is a refusal. */
export async function readSignatures(folder: string): Promise<string | null> {
  const path = join(folder, signatureFileName)
  try {
    return await readFile(path, 'utf8')
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return null
    throw refuse(`${path} cannot be read: ${(cause as Error).message}.`, cause)
  }
}

async function readPart(path: string): Promise<Buffer> {
  try {
    return await readFile(path)
  } catch (cause) {
    const expected = 'expected a folder as training writes it, with manifest.json and its files'
    throw refuse(`${path} cannot be read; ${expected}.`, cause)
  }
}

const refuse = (detail: string, cause?: unknown): WeirError =>
  new WeirError('WEIR_CLASSIFY_MODEL_REFUSED', detail, { cause })
