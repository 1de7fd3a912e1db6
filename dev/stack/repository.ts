// Where things lie on this machine.
//
// In: the place of this file and a few environment variables. Out: absolute folders.
// `.weir/` inside the clone holds what one run leaves behind (logs, data, state) and may be deleted
// at any time; the cache outside the clone holds what was downloaded, so that a second clone starts
// as fast as the first one's second start.

import { homedir } from 'node:os'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'

export const repositoryFolder = fileURLToPath(new URL('../../', import.meta.url))

export const stacksFolder = join(repositoryFolder, '.weir', 'stack')

export type Environment = Readonly<Record<string, string | undefined>>

export function cacheFolder(environment: Environment): string {
  if (environment.WEIR_CACHE_DIR) return resolve(environment.WEIR_CACHE_DIR)
  return join(environment.XDG_CACHE_HOME || join(homedir(), '.cache'), 'weir')
}
