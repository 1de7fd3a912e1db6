// docs/concepts/what-happens-if.md: at least 20 rows, and each names a test that is there.

import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { repositoryFolder } from '../../dev/stack/repository.ts'

const page = readFileSync(join(repositoryFolder, 'docs/concepts/what-happens-if.md'), 'utf8')
const rows = [...page.matchAll(/^\| (.+?) \| .+ \| `([^`]+)`: (.+) \|$/gm)]

test('what happens if - has a row for each of twenty cases and more', () => {
  const lines = page.split('\n').filter((line) => line.startsWith('| '))
  expect(rows.length).toBe(lines.length - 1)
  expect(rows.length).toBeGreaterThanOrEqual(20)
})

test.each(rows.map(([, question, file, title]) => [question!, file!, title!]))(
  'what happens if %s - names a test that is there',
  (_, file, title) => {
    const path = join(repositoryFolder, file)
    expect(existsSync(path), file).toBe(true)
    expect(readFileSync(path, 'utf8'), `${file} has no "${title}"`).toContain(title)
  },
)
