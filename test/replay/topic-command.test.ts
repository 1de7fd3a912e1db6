// `weir replay --topics` as a process: what it says, how it ends, and that flags name what is read.

import { once } from 'node:events'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { prefillTopic } from '../../load/generator/prefill.ts'
import { openScoringEnvironment, type ScoringEnvironment } from '../support/scoring-environment.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'
import { runReplay, startReplay } from './replay-process.ts'

const DAY_MS = 86_400_000
// Enough to take more than a second everywhere: progress is told once a second.
const COUNT = 60_000
let place: ScoringEnvironment
let kafkaAlone: Record<string, string>

beforeAll(async () => {
  place = await openScoringEnvironment({ purpose: 'replay-command', partitions: 2 })
  const { stack, definition, schemaIds, keyPrefix } = place
  await prefillTopic({
    brokers: stack.kafkaBrokers,
    transactionsTopic: definition.topics.transactions,
    labelsTopic: definition.topics.labels,
    schemaIds,
    generator: {
      count: COUNT,
      customers: 3000,
      terminals: 500,
      startTimeMs: Date.now() - 40 * DAY_MS,
    },
    disturbances: {},
  })
  kafkaAlone = {
    WEIR_KAFKA_BROKERS: stack.kafkaBrokers.join(','),
    WEIR_REGISTRY_URL: stack.registryUrl,
    WEIR_TOPIC_PREFIX: `${keyPrefix}.`,
    // It is handed to a replay as to everybody on the machine, and read by none.
    WEIR_KEY_PREFIX: keyPrefix,
    WEIR_GROUP_ID: keyPrefix,
  }
})
afterAll(() => place?.close())

const manifestOf = (folder: string) =>
  JSON.parse(readFileSync(join(folder, 'manifest.json'), 'utf8')) as {
    inputs: { transactions: { partitions: { from: number; to: number }[] } }
  }

test('replay of topics - tells its progress, and the report as its last line', async () => {
  const out = join(temporaryFolder(), 'run')
  const { code, stdout, stderr } = await runReplay(['--topics', '--out', out, '--json'], kafkaAlone)
  expect(stderr).toMatch(/^\d+ of 60000 transactions, \d+\/s, at 20\d\d-\S+Z, \d+ s left$/m)
  expect(stderr).toMatch(/60000 transactions, 0 rejected, \d+\.\d s \(\d+\/s\) into /)
  expect(code).toBe(0)
  const report = JSON.parse(stdout.trim().split('\n').at(-1)!)
  expect(report).toMatchObject({ events: COUNT, scored: COUNT, rejected: 0, out })
  expect(report.labels).toBeGreaterThan(0)
})

test('replay of topics - reads the offsets it is given, and those of an earlier run', async () => {
  const folder = temporaryFolder()
  const flags = ['--topics', '--features-only', '--out']
  const part = join(folder, 'part')
  const edges = [
    '--from-offsets',
    '0:100',
    '--to-offsets',
    '0:200,1:50',
    '--labels-to-offsets',
    '0:0,1:0',
  ]
  expect(await runReplay([...flags, part, ...edges], kafkaAlone)).toMatchObject({ code: 0 })
  expect(manifestOf(part).inputs.transactions.partitions).toMatchObject([
    { from: 100, to: 200, messages: 100 },
    { from: 0, to: 50, messages: 50 },
  ])
  const again = join(folder, 'again')
  const same = ['--ranges-of', part, '--store', 'redis']
  const variables = { ...kafkaAlone, WEIR_REDIS_URL: place.stack.redisUrl }
  expect(await runReplay([...flags, again, ...same], variables)).toMatchObject({ code: 0 })
  for (const name of readdirSync(part)) {
    expect(readFileSync(join(again, name)).equals(readFileSync(join(part, name))), name).toBe(true)
  }
})

test.each([
  [
    2,
    /^WEIR_SETTINGS_INVALID: .*found an offset of partition 9, expected one of 0, 1\.\n$/,
    ['--to-offsets', '9:1'],
    {},
  ],
  [2, /^WEIR_SETTINGS_INVALID: .*cannot be read: ENOENT/, ['--ranges-of', 'nowhere'], {}],
  [1, /^WEIR_ENRICH_STORE_AWAY: .*localhost:1/, ['--store', 'redis'], {}],
  [1, /^WEIR_REGISTRY_AWAY: /, [], { WEIR_REGISTRY_URL: 'http://localhost:1' }],
  [1, /^WEIR_KAFKA_AWAY: /, [], { WEIR_KAFKA_BROKERS: 'localhost:1' }],
])('replay of topics - ends with %i and %s', async (expected, says, flags, variables) => {
  const folder = temporaryFolder()
  const out = join(folder, 'run')
  const all = ['--topics', '--out', out, ...flags]
  const { code, stderr } = await runReplay(all, { ...kafkaAlone, ...variables })
  expect(stderr).toMatch(says)
  expect(code).toBe(expected)
  expect(existsSync(out)).toBe(false)
  expect(readdirSync(folder)).toEqual([])
})

test('replay of topics - leaves nothing behind at SIGINT', async () => {
  const folder = temporaryFolder()
  const child = startReplay(['--topics', '--out', join(folder, 'run')], kafkaAlone)
  await once(child.stderr!, 'data')
  expect(readdirSync(folder)).toHaveLength(1)
  child.kill('SIGINT')
  const [code] = await once(child, 'exit')
  expect(code).toBe(130)
  expect(readdirSync(folder)).toEqual([])
})
