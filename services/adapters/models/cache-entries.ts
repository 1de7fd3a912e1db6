// Entries of the model cache as folders that come and go whole, whoever else works on them.
//
//   incoming/<uuid> ─rename─► models/<sha-256> ─rename─► incoming/<uuid> ─looked at again─► removed
//
// In: paths. Out: verified entries. Refused: HashMismatch and what model-folder.ts refuses.
// Invariants: no entry is ever seen half written or half removed; what is taken out is judged once
// more where nobody else can reach it, and put back if it is right: another process may have stored
// or used it a moment ago.

import { randomUUID } from 'node:crypto'
import { mkdir, readdir, rename, rm, stat, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { WeirError } from '../../core/errors.ts'
import type { ModelReference } from '../../core/pipeline-definition.ts'
import { parseManifest } from '../../models/manifest.ts'
import { manifestFileName, signatureFileName } from '../../models/manifest-signature.ts'
import {
  filesOf,
  HashMismatch,
  type IncomingModel,
  openModelFolder,
  readModelFile,
} from './model-folder.ts'

export type CachedModel = {
  readonly reference: ModelReference
  readonly manifestSha256: string
  readonly manifest: Buffer
  readonly signatures: string | null
}

const hasCode = (error: unknown, ...codes: readonly string[]): boolean =>
  codes.includes((error as NodeJS.ErrnoException | null)?.code ?? '')

/** Not there, or taken away by another process meanwhile; also as the cause of a refusal. */
export const isAbsent = (error: unknown): boolean =>
  hasCode(error instanceof WeirError ? error.cause : error, 'ENOENT', 'ENOTDIR')

/** A file is missing in a folder that is there: as changed as one with other bytes. */
class IncompleteEntry extends WeirError {
  constructor(path: string, cause: unknown) {
    super('WEIR_CLASSIFY_MODEL_REFUSED', `${path} lacks a file`, { cause })
  }
}

export const isDamaged = (error: unknown): boolean =>
  error instanceof HashMismatch || error instanceof IncompleteEntry

/** @returns null where there is no such entry. */
export async function readEntry(entry: string, sha256: string): Promise<CachedModel | null> {
  try {
    return await verifyEntry(entry, sha256)
  } catch (error) {
    if (!isAbsent(error)) throw error
    if (!(await exists(entry))) return null
    // It may have been replaced between two reads; what lacks a file twice is damaged.
    return await verifyEntry(entry, sha256).catch(async (again: unknown) => {
      if (!isAbsent(again)) throw again
      if (await exists(entry)) throw new IncompleteEntry(entry, again)
      return null
    })
  }
}

async function verifyEntry(entry: string, sha256: string): Promise<CachedModel> {
  const folder = await findModel(entry)
  const { path, manifest, manifestSha256, signatures } = await openModelFolder(folder)
  if (manifestSha256 !== sha256) throw new HashMismatch(path, manifestSha256, sha256)
  const parsed = parseManifest(manifest.toString(), path)
  for (const file of filesOf(parsed).values()) await readModelFile(folder, parsed, file)
  const reference = { name: parsed.name, version: parsed.version, source: entry }
  return { reference, manifestSha256, manifest, signatures }
}

/** An entry holds one model: <name>/<version>/. */
export async function findModel(entry: string): Promise<string> {
  const [name = ''] = await readdir(entry)
  const [version = ''] = await readdir(join(entry, name))
  return join(entry, name, version)
}

export async function putEntry(
  incoming: string,
  entry: string,
  { manifest, signatures, files }: IncomingModel,
): Promise<void> {
  const { name, version } = parseManifest(manifest.toString(), manifestFileName)
  const draft = join(incoming, randomUUID())
  const folder = join(draft, name, version)
  await mkdir(folder, { recursive: true })
  await mkdir(dirname(entry), { recursive: true })
  const writeAt = (file: string, bytes: Uint8Array | string) =>
    writeFile(join(folder, file), bytes, { flush: true })
  for (const [file, bytes] of files) await writeAt(file, bytes)
  if (signatures !== null) await writeAt(signatureFileName, signatures)
  await writeAt(manifestFileName, manifest)
  await moveInto(draft, entry)
}

/** Where another process was faster its folder stays: the same hash means the same model. */
async function moveInto(draft: string, entry: string): Promise<void> {
  try {
    await rename(draft, entry)
  } catch (error) {
    await rm(draft, { recursive: true, force: true })
    if (!hasCode(error, 'ENOTEMPTY', 'EEXIST')) throw error
  }
}

/** Takes an entry out of reach, asks whether it is to go, and puts it back if it is not. */
export async function removeEntry(
  incoming: string,
  entry: string,
  isToGo: (folder: string) => Promise<boolean>,
): Promise<boolean> {
  const aside = join(incoming, randomUUID())
  await mkdir(incoming, { recursive: true })
  try {
    await rename(entry, aside)
  } catch (error) {
    if (isAbsent(error)) return false
    throw error
  }
  const isGone = await isToGo(aside)
  if (isGone) await rm(aside, { recursive: true, force: true })
  else await moveInto(aside, entry)
  return isGone
}

const exists = async (path: string): Promise<boolean> => (await statOf(path)) !== null

/** Null where it is not there, or no longer. */
export async function statOf(path: string) {
  try {
    return await stat(path)
  } catch (error) {
    if (isAbsent(error)) return null
    throw error
  }
}
