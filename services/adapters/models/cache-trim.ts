// Space in the model cache: entries that nobody used for longest go, and what was left half done.
//
// In: the cache's folder, how much it may hold, what this process uses. Out: fewer folders.
// Refused: nothing that another process causes by doing the same at the same time. Invariant: an
// entry that anybody used within keepMs stays, also if that puts the cache above its size: whoever
// found it may be reading it.

import { readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { isAbsent, removeEntry, statOf } from './cache-entries.ts'

/** What another process has left unfinished for this long is nobody's any more. */
const staleMs = 3_600_000

type TrimOptions = {
  readonly folder: string
  readonly bytesMax: number
  /** A reader has this long between finding an entry and having read it. */
  readonly keepMs: number
  /** Entries of this process. */
  readonly used: ReadonlySet<string>
}

export async function trimCache({ folder, bytesMax, keepMs, used }: TrimOptions): Promise<void> {
  const incoming = join(folder, 'incoming')
  await removeStale(incoming)
  const models = join(folder, 'models')
  const entries = await listEntries(models)
  let size = entries.reduce((sum, entry) => sum + entry.size, 0)
  const isIdle = (usedMs: number) => Date.now() - usedMs >= keepMs
  for (const entry of entries.sort((a, b) => a.usedMs - b.usedMs)) {
    if (size <= bytesMax) return
    if (used.has(entry.name) || !isIdle(entry.usedMs)) continue
    // Asked again once nobody can find it any more: somebody may just have.
    const isStillIdle = async (aside: string) => isIdle((await statOf(aside))?.mtimeMs ?? 0)
    await removeEntry(incoming, join(models, entry.name), isStillIdle)
    size -= entry.size
  }
}

async function removeStale(incoming: string): Promise<void> {
  for (const name of await listNames(incoming)) {
    const found = await statOf(join(incoming, name))
    // An entry that was moved here keeps its mtime; only its ctime is of the move.
    if (found === null || Date.now() - Math.max(found.mtimeMs, found.ctimeMs) <= staleMs) continue
    await rm(join(incoming, name), { recursive: true, force: true })
  }
}

async function listEntries(models: string) {
  const entries: { name: string; usedMs: number; size: number }[] = []
  for (const name of await listNames(models)) {
    const found = await statOf(join(models, name))
    if (found === null) continue
    entries.push({ name, usedMs: found.mtimeMs, size: await sizeOf(join(models, name)) })
  }
  return entries
}

const listNames = (folder: string): Promise<string[]> =>
  readdir(folder).catch((error: unknown) => {
    if (isAbsent(error)) return []
    throw error
  })

async function sizeOf(folder: string): Promise<number> {
  try {
    const files = await readdir(folder, { recursive: true, withFileTypes: true })
    const stats = files
      .filter((file) => file.isFile())
      .map((file) => statOf(join(file.parentPath, file.name)))
    return (await Promise.all(stats)).reduce((sum, found) => sum + (found?.size ?? 0), 0)
  } catch (error) {
    if (isAbsent(error)) return 0
    throw error
  }
}
