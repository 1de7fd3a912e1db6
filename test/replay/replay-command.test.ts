// `weir replay` as a process: its last line, its exit codes, its end by a signal, and that no flag
// and no variable could lead it to live state.

import { generateKeyPairSync } from 'node:crypto'
import { once } from 'node:events'
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Command } from 'commander'
import { expect, test } from 'vitest'
import { writeFiles } from '../../load/generator/file-sink.ts'
import { addReplay } from '../../services/cli/replay-command.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'
import { waitFor } from '../support/wait-for.ts'
import { runReplay, startReplay } from './replay-process.ts'
import { smallHistory, writeNdjson } from './replay-world.ts'

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
  [
    ['--transactions', 'a.ndjson', '--to', '2026-01-31'],
    'found a range, expected it with --topics',
  ],
  [
    ['--transactions', 'a.ndjson', '--to-offsets', '0:5'],
    'found a range, expected it with --topics',
  ],
  [['--transactions', 'a.ndjson', '--ranges-of', 'b'], 'found a range, expected it with --topics'],
  [['--topics', '--ranges-of', 'b', '--to-offsets', '0:5'], 'found --ranges-of and another range'],
  [['--topics', '--from', '2026-02-01', '--to', '2026-01-31'], 'found --from 2026-02-01'],
  [['--topics', '--into-topics', 'a'], 'found --into-topics and --out'],
  [['--collect', 'a', '--topics'], 'found --collect and --topics'],
  [['--collect', 'a', '--store', 'redis'], 'found --collect and --store'],
  [['--discard', 'a'], 'found --discard and --out'],
  [['--collect', 'weir/a'], 'found the run weir/a'],
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

test('replay command - killed and started again gives the bytes of a run that was not', async () => {
  const folder = temporaryFolder()
  const directory = join(folder, 'history')
  writeFiles({ directory, format: 'parquet', generator: { seed: 23, days: 3 } })
  const flags = [
    ...['--transactions', join(directory, 'transactions.parquet')],
    ...['--labels', join(directory, 'labels.parquet'), '--features-only', '--out'],
  ]
  const out = join(folder, 'run')
  const child = startReplay([...flags, out])
  const findPartial = () => readdirSync(folder).find((name) => name.includes('.partial-')) ?? ''
  const isWriting = () => existsSync(join(folder, findPartial(), 'features.parquet'))
  await waitFor(isWriting, () => `found ${readdirSync(folder)}`, { everyMs: 2 })
  const left = findPartial()
  child.kill('SIGKILL')
  await once(child, 'exit')
  expect(readdirSync(folder).sort()).toEqual([left, 'history'].sort())

  expect(await runReplay([...flags, out])).toMatchObject({ code: 0 })
  expect(readdirSync(folder).sort()).toEqual(['history', 'run'])
  expect(await runReplay([...flags, join(folder, 'other')])).toMatchObject({ code: 0 })
  for (const name of readdirSync(out)) {
    const again = readFileSync(join(out, name))
    expect(again.equals(readFileSync(join(folder, 'other', name))), name).toBe(true)
  }
})

test('replay command - says what offsets look like', async () => {
  for (const wrong of ['5', '0:5,0:6', '0:-1', '0:5;1:6']) {
    const flags = ['--topics', '--from-offsets', wrong, '--out', join(temporaryFolder(), 'run')]
    const { code, stderr } = await runReplay(flags)
    expect(code).toBe(2)
    expect(stderr).toMatch(/partition:offset pairs such as 0:118204|partition 0 twice/)
  }
})

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
    '--from-offsets',
    '--to-offsets',
    '--labels-from-offsets',
    '--labels-to-offsets',
    '--ranges-of',
    '--store',
    '--features-only',
    '--costs',
    '--measure-from',
    '--measure-to',
    '--known-since',
    '--into-topics',
    '--collect',
    '--discard',
    '--max-rejected',
    '--out',
    '--json',
  ])
})

test('replay command - refuses a model without a signature where one is asked for', async () => {
  const folder = temporaryFolder()
  const { publicKey } = generateKeyPairSync('ed25519')
  const keyFile = join(folder, 'key.pem')
  writeFileSync(keyFile, publicKey.export({ type: 'spki', format: 'pem' }))
  const { transactions } = smallHistory(22, 5)
  const run = (out: string, more: Readonly<Record<string, string>>) =>
    runReplay(
      ['--transactions', writeNdjson(folder, 't.ndjson', transactions), '--out', join(folder, out)],
      more,
    )
  const asked = { WEIR_MODEL_REQUIRE_SIGNATURE: 'true', WEIR_MODEL_KEYS: keyFile }
  const refused = await run('refused', asked)
  expect(refused.stderr).toMatch(/^WEIR_CLASSIFY_SIGNATURE_REFUSED: /m)
  expect(refused.code).toBe(2)
  expect((await run('taken', {})).code).toBe(0)
})
