// `weir replay` as a process: its last line, its exit codes, its end by a signal, and that no flag and no
// variable could lead it to live state.

import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { Command } from 'commander'
import { expect, onTestFinished, test } from 'vitest'
import { writeFiles } from '../../load/generator/file-sink.ts'
import { addReplay } from '../../services/cli/replay-command.ts'
import { repositoryPath } from '../adapters/file/pipeline-text.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'
import { smallHistory, writeNdjson } from './replay-world.ts'

/** Nobody answers here: a replay that asked would fail. */
const nowhere = {
  WEIR_KAFKA_BROKERS: 'localhost:1',
  WEIR_REDIS_URL: 'redis://localhost:1',
  WEIR_REGISTRY_URL: 'http://localhost:1',
}

function startReplay(flags: readonly string[]): ChildProcess {
  const child = spawn(
    process.execPath,
    [repositoryPath('services/cli/main.ts'), 'replay', ...flags],
    { cwd: repositoryPath('.'), env: { ...process.env, ...nowhere } },
  )
  onTestFinished(() => void child.kill('SIGKILL'))
  return child
}

async function runReplay(flags: readonly string[]) {
  const child = startReplay(flags)
  let stdout = ''
  let stderr = ''
  child.stdout!.on('data', (text) => {
    stdout += text
  })
  child.stderr!.on('data', (text) => {
    stderr += text
  })
  const [code] = await once(child, 'close')
  return { code, stdout, stderr }
}

test('replay command - prints the report as its last line and fills the folder', async () => {
  const folder = temporaryFolder()
  const { transactions, labels } = smallHistory(21, 5)
  const out = join(folder, 'run')
  const { code, stdout, stderr } = await runReplay([
    ...['--transactions', writeNdjson(folder, 't.ndjson', transactions)],
    ...['--labels', writeNdjson(folder, 'l.ndjson', labels)],
    ...['--out', out, '--json'],
  ])
  expect(stderr).toContain(`${transactions.length} transactions, 0 rejected`)
  expect(code).toBe(0)
  const report = JSON.parse(stdout.trim().split('\n').at(-1)!)
  expect(report).toMatchObject({ events: transactions.length, rejected: 0 })
  expect(report.rocAuc).toBeGreaterThan(0)
  expect(readdirSync(out).sort()).toEqual([
    'manifest.json',
    'rejected.ndjson',
    'report.html',
    'report.json',
    'scored.parquet',
  ])
})

test('replay command - ends with 2 and one line where a file cannot be read', async () => {
  const folder = temporaryFolder()
  const flags = ['--transactions', join(folder, 'none.parquet'), '--out', join(folder, 'run')]
  const { code, stderr } = await runReplay(flags)
  expect(code).toBe(2)
  expect(stderr).toMatch(/^WEIR_FILE_INVALID: .*none\.parquet.*ENOENT[^\n]*\n$/)
  expect(existsSync(join(folder, 'run'))).toBe(false)
})

test.each([
  [['--topics', '--transactions', 'a.ndjson'], 'found --topics and files'],
  [[], 'found no input'],
  [['--transactions', 'a.ndjson', '--to', '2026-01-31'], 'found a range of time'],
  [['--topics', '--from', '2026-02-01', '--to', '2026-01-31'], 'found --from 2026-02-01'],
])('replay command - refuses %j', async (flags, found) => {
  const { code, stderr } = await runReplay([...flags, '--out', join(temporaryFolder(), 'run')])
  expect(code).toBe(2)
  expect(stderr).toMatch(/^WEIR_SETTINGS_INVALID: /)
  expect(stderr).toContain(found)
})

test.each(['SIGINT', 'SIGTERM'] as const)(
  'replay command - leaves nothing behind at %s',
  async (signal) => {
    const folder = temporaryFolder()
    const directory = join(folder, 'history')
    writeFiles({ directory, format: 'parquet', generator: { seed: 22, days: 12 } })
    const out = join(folder, 'run')
    const child = startReplay([
      ...['--transactions', join(directory, 'transactions.parquet')],
      ...['--labels', join(directory, 'labels.parquet'), '--out', out],
    ])
    // The first progress line says that rows are being written.
    await once(child.stderr!, 'data')
    expect(readdirSync(folder).some((name) => name.includes('.partial-'))).toBe(true)
    child.kill(signal)
    const [code] = await once(child, 'exit')
    expect(code).toBe(signal === 'SIGINT' ? 130 : 143)
    expect(readdirSync(folder)).toEqual(['history'])
  },
)

test('replay command - has no flag that could name live state', () => {
  const program = new Command()
  addReplay(program)
  const flags = program.commands[0]!.options.map(({ long }) => long)
  expect(flags).toEqual([
    '--pipeline',
    '--transactions',
    '--labels',
    '--topics',
    '--from',
    '--to',
    '--labels-to',
    '--features-only',
    '--costs',
    '--measure-from',
    '--measure-to',
    '--known-since',
    '--out',
    '--json',
  ])
})
