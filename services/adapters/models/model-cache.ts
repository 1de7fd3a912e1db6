// Models of a registry on this disk: whole folders under the sha-256 of their manifest.
//
//   <folder>/models/<sha-256 of manifest.json>/<name>/<version>/{manifest.json, manifest.json.sig, model.onnx, ...}
//   <folder>/names/<sha-256 of server, name and version or alias>.json     what it was resolved to last
//   <folder>/incoming/...                                                  being written
//
// Refused: a folder that cannot be written (WEIR_SETTINGS_INVALID). Invariants: an entry appears whole, by a
// rename; on every use its manifest and every file are hashed again, and an entry that differs is removed
// and counts as absent; entries used by this process are never removed to make stage, others oldest first.

import { createHash, randomUUID } from 'node:crypto'
import { mkdir, readdir, readFile, rename, rm, stat, utimes, writeFile } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { WeirError } from '../../core/errors.ts'
import type { ModelReference } from '../../core/pipeline-definition.ts'
import { type ModelManifest, parseManifest } from '../../models/manifest.ts'
import { manifestFileName, signatureFileName } from '../../models/manifest-signature.ts'

export type CachedModel = {
  readonly reference: ModelReference
  readonly manifestSha256: string
  readonly manifest: Buffer
  readonly signatures: string | null
}

/** A model on its way in; `files` are those that the manifest names, verified by the caller. */
export type IncomingModel = {
  readonly manifest: Buffer
  readonly signatures: string | null
  readonly files: ReadonlyMap<string, Uint8Array>
}

export type ModelCache = {
  /** The entry, verified; null where there is none that is whole. */
  readonly open: (manifestSha256: string) => Promise<CachedModel | null>
  readonly store: (model: IncomingModel) => Promise<CachedModel>
  /** Puts the signatures beside the manifest: a model may be signed anew. */
  readonly sign: (manifestSha256: string, signatures: string | null) => Promise<void>
  readonly remember: (asked: string, manifestSha256: string) => Promise<void>
  readonly recall: (asked: string) => Promise<string | null>
}

/** What another process has left unfinished for this long is nobody's any more. */
const staleMs = 3_600_000

export function createModelCache(options: {
  readonly folder: string
  readonly bytesMax: number
}): ModelCache {
  const folder = resolve(options.folder)
  const models = join(folder, 'models')
  const used = new Set<string>()
  const entryOf = (sha256: string): string => join(models, sha256)
  const nameOf = (asked: string): string => join(folder, 'names', `${sha256Of(asked)}.json`)

  const open = async (sha256: string): Promise<CachedModel | null> => {
    const entry = entryOf(sha256)
    const found = await readEntry(entry, sha256).catch(() => null)
    if (found === null) {
      await rm(entry, { recursive: true, force: true })
      return null
    }
    used.add(sha256)
    const now = new Date()
    await utimes(entry, now, now)
    return found
  }

  const store = async (model: IncomingModel): Promise<CachedModel> => {
    const sha256 = sha256Of(model.manifest)
    try {
      await putEntry(join(folder, 'incoming'), entryOf(sha256), model)
    } catch (cause) {
      throw unwritable(folder, cause)
    }
    const stored = await open(sha256)
    if (stored === null) throw unwritable(folder, new Error('what was written reads differently'))
    await trim(folder, options.bytesMax, used)
    return stored
  }

  return {
    open,
    store,
    sign: async (sha256, signatures) => {
      const { name, version } = parseManifest(
        await readFile(await findManifest(entryOf(sha256)), 'utf8'),
        sha256,
      )
      const path = join(entryOf(sha256), name, version, signatureFileName)
      if (signatures === null) await rm(path, { force: true })
      else await writeWhole(path, signatures)
    },
    remember: async (asked, manifestSha256) => {
      await writeWhole(nameOf(asked), JSON.stringify({ asked, manifestSha256 }))
    },
    recall: async (asked) => {
      try {
        return JSON.parse(await readFile(nameOf(asked), 'utf8')).manifestSha256
      } catch {
        return null
      }
    },
  }
}

export const sha256Of = (bytes: Uint8Array | string): string =>
  createHash('sha256').update(bytes).digest('hex')

/** Files of a manifest by name; cpu and gpu may be the same. */
export const filesOf = ({ files }: ModelManifest): ReadonlyMap<string, string> =>
  new Map(Object.values(files).map(({ path, sha256 }) => [path, sha256]))

/** An entry holds one model: <name>/<version>/. */
async function findManifest(entry: string): Promise<string> {
  const [name = ''] = await readdir(entry)
  const [version = ''] = await readdir(join(entry, name))
  return join(entry, name, version, manifestFileName)
}

async function readEntry(entry: string, sha256: string): Promise<CachedModel> {
  const path = await findManifest(entry)
  const manifest = await readFile(path)
  if (sha256Of(manifest) !== sha256) throw new Error(`${path} was changed`)
  const parsed = parseManifest(manifest.toString(), path)
  const folder = join(entry, parsed.name, parsed.version)
  for (const [file, expected] of filesOf(parsed)) {
    if (sha256Of(await readFile(join(folder, file))) !== expected) {
      throw new Error(`${file} was changed`)
    }
  }
  const signatures = await readFile(join(folder, signatureFileName), 'utf8').catch(() => null)
  const { name, version } = parsed
  return {
    reference: { name, version, source: entry },
    manifestSha256: sha256,
    manifest,
    signatures,
  }
}

async function putEntry(
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
  try {
    await rename(draft, entry)
  } catch (error) {
    await rm(draft, { recursive: true, force: true })
    // Another process was faster; the same hash means the same model.
    if (!['ENOTEMPTY', 'EEXIST'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error
  }
}

async function writeWhole(path: string, text: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true })
  const draft = `${path}.${randomUUID()}.tmp`
  await writeFile(draft, text, { flush: true })
  await rename(draft, path)
}

/** Removes entries unused for longest until the rest fits, and drafts that nobody finishes. */
async function trim(folder: string, bytesMax: number, used: ReadonlySet<string>): Promise<void> {
  const incoming = join(folder, 'incoming')
  for (const draft of await listNames(incoming)) {
    const { mtimeMs } = await stat(join(incoming, draft))
    if (Date.now() - mtimeMs > staleMs) await rm(join(incoming, draft), { recursive: true })
  }
  const models = join(folder, 'models')
  const names = await listNames(models)
  const entries = await Promise.all(
    names.map(async (name) => ({
      name,
      usedMs: (await stat(join(models, name))).mtimeMs,
      size: await sizeOf(join(models, name)),
    })),
  )
  let size = entries.reduce((sum, entry) => sum + entry.size, 0)
  for (const entry of entries.sort((a, b) => a.usedMs - b.usedMs)) {
    if (size <= bytesMax) return
    if (used.has(entry.name)) continue
    await rm(join(models, entry.name), { recursive: true, force: true })
    size -= entry.size
  }
}

const listNames = (folder: string): Promise<string[]> => readdir(folder).catch(() => [])

async function sizeOf(folder: string): Promise<number> {
  const files = await readdir(folder, { recursive: true, withFileTypes: true })
  const sizes = files
    .filter((file) => file.isFile())
    .map(async (file) => (await stat(join(file.parentPath, file.name))).size)
  return (await Promise.all(sizes)).reduce((sum, size) => sum + size, 0)
}

const unwritable = (folder: string, cause: unknown): WeirError =>
  new WeirError(
    'WEIR_SETTINGS_INVALID',
    `WEIR_MODEL_CACHE  found ${folder}, which cannot be written: ${(cause as Error).message}; ` +
      'expected a folder with room for models.',
    { cause },
  )
