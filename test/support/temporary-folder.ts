// A folder for one test, gone with the test.
//
// In: nothing. Out: the path of a new empty folder below .weir/ in the repository, where packages
// resolve as they do for the repository's own files. It is removed when the test has finished.

import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import { repositoryFolder } from '../../dev/stack/repository.ts'

export function temporaryFolder(): string {
  const parent = join(repositoryFolder, '.weir', 'tests')
  mkdirSync(parent, { recursive: true })
  const folder = mkdtempSync(join(parent, 'test-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}
