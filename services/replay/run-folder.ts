// The folder of a run: complete or not there at all.
//
// In: the folder asked for. Out: a folder beside it to write into, and `publish`, which gives it
// its name at once when all is written. Refused with WEIR_SETTINGS_INVALID: a folder that holds
// something already, because a run never overwrites another. Invariants: whatever ends the process,
// the name asked for never shows a half-written run; what a process that died left beside it is
// removed by the next run into the same folder, and never what one writes that lives, or that
// another machine may run.

import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { mkdir, readdir, rename, rm } from 'node:fs/promises'
import { hostname } from 'node:os'
import { basename, dirname, join, resolve } from 'node:path'
import { WeirError } from '../core/errors.ts'

export type RunFolder = {
  /** Where to write a file of this name until the run is published. */
  readonly pathOf: (name: string) => string
  readonly publish: () => Promise<void>
  /** Removes what was written; nothing once published. */
  readonly discard: () => Promise<void>
}

export async function openRunFolder(folder: string): Promise<RunFolder> {
  const wanted = resolve(folder)
  await refuseFull(wanted)
  await removeLeftovers(wanted)
  // Beside the folder, so that a rename is all it takes.
  const partial = `${partialStem(wanted)}${process.pid}`
  if (writing.has(partial)) {
    throw refused(`--out ${folder}: found another run of this process that writes it`)
  }
  await rm(partial, { recursive: true, force: true })
  await mkdir(partial, { recursive: true })
  writing.add(partial)
  const discard = async (): Promise<void> => {
    writing.delete(partial)
    await rm(partial, { recursive: true, force: true })
  }
  return {
    pathOf: (name) => join(partial, name),
    publish: async () => {
      await refuseFull(wanted)
      await rename(partial, wanted)
      writing.delete(partial)
    },
    discard,
  }
}

/** Folders that this process writes now: another of its number here is a dead one's. */
const writing = new Set<string>()

/** Numbers of processes mean something on their machine only. */
const partialStem = (wanted: string): string =>
  join(dirname(wanted), `.${basename(wanted)}.partial-${hostname()}-`)

async function removeLeftovers(wanted: string): Promise<void> {
  const stem = partialStem(wanted)
  const names = await readdir(dirname(wanted)).catch(() => [])
  for (const path of names.map((name) => join(dirname(wanted), name))) {
    const pid = path.startsWith(stem) ? path.slice(stem.length) : ''
    if (/^\d+$/.test(pid) && !isRunning(Number(pid))) {
      await rm(path, { recursive: true, force: true })
    }
  }
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    // Somebody else's process is one, too.
    return (error as NodeJS.ErrnoException).code !== 'ESRCH'
  }
}

async function refuseFull(folder: string): Promise<void> {
  const names = await readdir(folder).catch((cause: NodeJS.ErrnoException) => {
    if (cause.code === 'ENOENT') return []
    throw refused(`--out ${folder}: ${cause.message}`, cause)
  })
  if (names.length === 0) return
  const found = `found a folder that holds ${names.length} entries`
  throw refused(`--out ${folder}: ${found}, expected a new or empty one`)
}

const refused = (detail: string, cause?: unknown) =>
  new WeirError('WEIR_SETTINGS_INVALID', `${detail}.`, { cause })

export async function hashFile(path: string): Promise<string> {
  const hash = createHash('sha256')
  for await (const chunk of createReadStream(path)) hash.update(chunk as Buffer)
  return hash.digest('hex')
}
