// docs/reference/replay.md against a run: every field of report and manifest has a row, and no
// other.

import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { repositoryPath } from '../adapters/pipeline-file/pipeline-text.ts'
import { replaySmall, smallHistory } from './replay-world.ts'

const page = readFileSync(repositoryPath('docs/reference/replay.md'), 'utf8')

function rowsOf(heading: string): string[] {
  const section = page.split(`\n## ${heading}\n`)[1]!.split('\n## ')[0]!
  return [...section.matchAll(/^\| `(\w+)` \|/gm)].map(([, name]) => name!)
}

test.each([
  ['Report', 'report.json'],
  ['Manifest', 'manifest.json'],
])('replay page - lists the fields of the %s', async (heading, file) => {
  const run = await replaySmall(smallHistory(6, 3))
  expect(rowsOf(heading)).toEqual(Object.keys(JSON.parse(run.read(file))))
})
