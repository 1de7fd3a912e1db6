// `npm test` counts truly: run on small sets of tests of its own, read by its last line and exit
// code.

import { spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { repositoryFolder } from '../../dev/stack/repository.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'

const passing = "test('passes', () => { expect(1).toBe(1) })"
const failing = "test('fails', () => { expect(1).toBe(2) })"
const skipped = "test.skip('is skipped', () => {})"
const failingHook = `
describe('behind a hook', () => {
  beforeAll(() => { throw new Error('the hook fails') })
  test('never runs', () => {})
})`
const strayError = `
test('leaves an error behind', async () => {
  setTimeout(() => { throw new Error('stray') })
  await new Promise((resolve) => setTimeout(resolve, 50))
})`

function runTests(files: Record<string, string>, more: readonly string[] = []) {
  const folder = temporaryFolder()
  writeFileSync(join(folder, 'vitest.config.mjs'), "export default { test: { include: ['*.ts'] } }")
  for (const [name, body] of Object.entries(files)) {
    const imports = "import { beforeAll, describe, expect, test } from 'vitest'\n"
    writeFileSync(join(folder, name), imports + body)
  }
  const environment = Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !name.startsWith('VITEST')),
  )
  const options = ['--root', folder, '--config', join(folder, 'vitest.config.mjs'), ...more]
  const run = spawnSync(process.execPath, [join(repositoryFolder, 'dev/test.ts'), ...options], {
    encoding: 'utf8',
    env: environment,
  })
  const lines = run.stdout.trimEnd().split('\n')
  return { lines, lastLine: lines.at(-1), status: run.status }
}

test.each([
  ['passes', { 'a.ts': passing }, '1 passed, 0 failed', 0],
  [
    'mentions what was skipped',
    { 'a.ts': `${passing}\n${skipped}` },
    '1 passed, 0 failed, 1 skipped',
    0,
  ],
  ['fails with a failed test', { 'a.ts': passing, 'b.ts': failing }, '1 passed, 1 failed', 1],
  [
    'fails with a file that does not load',
    { 'a.ts': passing, 'b.ts': "import './nowhere.ts'" },
    '1 passed, 1 failed',
    1,
  ],
  [
    'fails with a hook that fails',
    { 'a.ts': passing + failingHook },
    '1 passed, 1 failed, 1 skipped',
    1,
  ],
  ['fails with an error outside of the tests', { 'a.ts': strayError }, '1 passed, 1 failed', 1],
  ['fails when every test is skipped', { 'a.ts': skipped }, '0 passed, 0 failed, 1 skipped', 1],
  ['fails when there is no test', {}, '0 passed, 0 failed', 1],
])('test - %s', (_title, files, lastLine, status) => {
  expect(runTests(files as Record<string, string>)).toMatchObject({ lastLine, status })
})

test('test - passes its arguments on to vitest', () => {
  const files = { 'a.ts': passing, 'b.ts': failing }
  expect(runTests(files, ['-t', 'passes']).lastLine).toBe('1 passed, 0 failed, 1 skipped')
  expect(runTests(files, ['a.ts'])).toMatchObject({ lastLine: '1 passed, 0 failed', status: 0 })
})

test('test - names what its process died under', () => {
  const dying = "test('dies', () => process.kill(process.pid, 'SIGKILL'))"
  const { lines, lastLine, status } = runTests({ 'a.ts': passing, 'b.ts': dying })
  expect(lines).toContain('did not end: b.ts > dies')
  expect({ lastLine, status }).toEqual({ lastLine: '1 passed, 1 failed, 1 skipped', status: 1 })
})
