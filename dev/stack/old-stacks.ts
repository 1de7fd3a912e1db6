// Tidies the folders of stacks that ended.
//
// In: the folder that holds one folder per stack. Out: the newest ones stay, for their logs; older
// ones go. A stack whose data folder is still there is running (its supervisor removes the data at
// the end), and is left alone.

import { existsSync, mkdirSync, readdirSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'

const keptCount = 10

export function pruneOldStacks(stacksFolder: string): void {
  mkdirSync(stacksFolder, { recursive: true })
  const ended = readdirSync(stacksFolder, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map((entry) => join(stacksFolder, entry.name))
    .filter((folder) => !existsSync(join(folder, 'data')))
    .sort((a, b) => statSync(b).mtimeMs - statSync(a).mtimeMs)
  for (const folder of ended.slice(keptCount)) rmSync(folder, { recursive: true, force: true })
}
