// Models of a registry on this disk: whole folders under the sha-256 of their manifest.
//
//   <folder>/models/<sha-256 of manifest.json>/<name>/<version>/{manifest.json, model.onnx, ...}
//   <folder>/names/<sha-256 of server, name and version>.json   what it was resolved to last
//   <folder>/incoming/...                                       on its way in or out
//
// Refused: a folder that cannot be written or read (WEIR_SETTINGS_INVALID). Invariants: an entry
// appears whole, by a rename, and goes by one; on every use its manifest and every file are hashed
// again; an entry that differs is removed and counts as absent, one that only cannot be read is
// left alone; one in use is never trimmed.

import { randomUUID } from 'node:crypto'
import { mkdir, readFile, rename, rm, utimes, writeFile } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { WeirError } from '../../core/errors.ts'
import { limits } from '../../core/limits.ts'
import { signatureFileName } from '../../models/manifest-signature.ts'
import {
  type CachedModel,
  findModel,
  isAbsent,
  isDamaged,
  putEntry,
  readEntry,
  removeEntry,
} from './cache-entries.ts'
import { trimCache } from './cache-trim.ts'
import { type IncomingModel, sha256Of } from './model-folder.ts'

export type ModelCache = {
  /** The entry, verified; null where there is none that is whole. */
  readonly open: (manifestSha256: string) => Promise<CachedModel | null>
  readonly store: (model: IncomingModel) => Promise<CachedModel>
  /** Puts the signatures beside the manifest: a model may be signed anew. */
  readonly sign: (manifestSha256: string, signatures: string | null) => Promise<void>
  readonly remember: (asked: string, manifestSha256: string) => Promise<void>
  readonly recall: (asked: string) => Promise<string | null>
}

type CacheOptions = {
  readonly folder: string
  readonly bytesMax: number
  /** See TrimOptions; left out: an hour, many times what loading may take. */
  readonly keepMs?: number
}

const usualKeepMs = 3_600_000

export function createModelCache(options: CacheOptions): ModelCache {
  const { bytesMax, keepMs = usualKeepMs } = options
  const folder = resolve(options.folder)
  const incoming = join(folder, 'incoming')
  const used = new Set<string>()
  const entryOf = (sha256: string): string => join(folder, 'models', sha256)
  const nameOf = (asked: string): string => join(folder, 'names', `${sha256Of(asked)}.json`)

  const open = async (sha256: string): Promise<CachedModel | null> => {
    const entry = entryOf(sha256)
    // Before it is read, so that nobody trims it meanwhile.
    if (!(await touch(entry))) return null
    try {
      const found = await readEntry(entry, sha256)
      if (found !== null) used.add(sha256)
      return found
    } catch (error) {
      if (!isDamaged(error)) throw describeUnread(entry, error)
      await removeEntry(incoming, entry, (aside) => isDamagedAt(aside, sha256))
      return null
    }
  }

  const store = async (model: IncomingModel): Promise<CachedModel> => {
    const sha256 = sha256Of(model.manifest)
    // Somebody else may take it away before it is opened; once is already unlikely.
    for (let attempt = 0; attempt < limits.retryAttemptsMax; attempt++) {
      await putEntry(incoming, entryOf(sha256), model).catch((cause: unknown) => {
        throw unwritable(folder, cause)
      })
      const stored = await open(sha256)
      if (stored === null) continue
      await trimCache({ folder, bytesMax, keepMs, used })
      return stored
    }
    throw unwritable(folder, new Error('what was written is gone or reads differently'))
  }

  return {
    open,
    store,
    sign: async (sha256, signatures) => {
      try {
        const path = join(await findModel(entryOf(sha256)), signatureFileName)
        if (signatures === null) await rm(path, { force: true })
        else await replaceFile(join(incoming, randomUUID()), path, signatures)
      } catch (cause) {
        throw unwritable(folder, cause)
      }
    },
    remember: async (asked, manifestSha256) => {
      const path = nameOf(asked)
      await mkdir(dirname(path), { recursive: true })
      const text = JSON.stringify({ asked, manifestSha256 })
      await replaceFile(join(incoming, randomUUID()), path, text)
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

async function isDamagedAt(aside: string, sha256: string): Promise<boolean> {
  try {
    return (await readEntry(aside, sha256)) === null
  } catch (error) {
    return isDamaged(error)
  }
}

/** False where there is nothing. */
async function touch(entry: string): Promise<boolean> {
  const now = new Date()
  try {
    await utimes(entry, now, now)
    return true
  } catch (error) {
    if (isAbsent(error)) return false
    // Of another user, or read-only: it can be read all the same.
    return true
  }
}

/** The folder of `path` is there already: a name never brings an entry into being. */
async function replaceFile(draft: string, path: string, text: string): Promise<void> {
  await mkdir(dirname(draft), { recursive: true })
  await writeFile(draft, text, { flush: true })
  await rename(draft, path)
}

const describeUnread = (entry: string, error: unknown): unknown => {
  const { cause } = error as Error
  // A refusal of the model itself, not of a file.
  if (!(cause instanceof Error) || !('syscall' in cause)) return error
  const what = `${entry}, which cannot be read: ${cause.message}`
  const expected = 'expected a folder that this user can read, or no such entry'
  return new WeirError('WEIR_SETTINGS_INVALID', `WEIR_MODEL_CACHE  found ${what}; ${expected}.`, {
    cause,
  })
}

const unwritable = (folder: string, cause: unknown): WeirError =>
  new WeirError(
    'WEIR_SETTINGS_INVALID',
    `WEIR_MODEL_CACHE  found ${folder}, which cannot be written: ${(cause as Error).message}; ` +
      'expected a folder with space for models.',
    { cause },
  )
