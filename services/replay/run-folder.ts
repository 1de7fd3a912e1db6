// The folder of a run: complete or not there at all.
//
// In: the folder asked for. Out: a folder beside it to write into, and `publish`, which gives it its
// name at once when all is written. Refused with WEIR_SETTINGS_INVALID: a folder that holds something
// already, because a run never overwrites another. Invariant: whatever ends the process, the name
// asked for never shows a half-written run.

import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { mkdir, readdir, rename, rm } from 'node:fs/promises'
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
  // Beside the folder, so that a rename is all it takes.
  const partial = join(dirname(wanted), `.${basename(wanted)}.partial-${process.pid}`)
  await rm(partial, { recursive: true, force: true })
  await mkdir(partial, { recursive: true })
  return {
    pathOf: (name) => join(partial, name),
    publish: async () => {
      await refuseFull(wanted)
      await rename(partial, wanted)
    },
    discard: () => rm(partial, { recursive: true, force: true }),
  }
}

async function refuseFull(folder: string): Promise<void> {
  const names = await readdir(folder).catch((cause: NodeJS.ErrnoException) => {
    if (cause.code === 'ENOENT') return []
    throw new WeirError('WEIR_SETTINGS_INVALID', `--out ${folder}: ${cause.message}`, { cause })
  })
  if (names.length === 0) return
  const detail = `--out ${folder}: found a folder that holds ${names.length} entries, expected a new or empty one.`
  throw new WeirError('WEIR_SETTINGS_INVALID', detail)
}

export async function hashFile(path: string): Promise<string> {
  const hash = createHash('sha256')
  for await (const chunk of createReadStream(path)) hash.update(chunk as Buffer)
  return hash.digest('hex')
}
