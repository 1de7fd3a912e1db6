// `weir replay --into-topics` as processes: what several of them score is what one scores, and live
// state does not know of it.
//
// One partition has one order, so the bytes are those of `--topics`. Four partitions in three
// processes, one of them killed: every event once, every vector proved by parity for the order in
// which it was scored.

import { once } from 'node:events'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Redis } from 'ioredis'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { prefillTopic } from '../../load/generator/prefill.ts'
import type { ParityReport } from '../../services/parity/parity-report.ts'
import { inputTopicsOf, untilCommitted } from '../support/committed-offsets.ts'
import {
  openScoringEnvironment,
  replaceLine,
  type ScoringEnvironment,
} from '../support/scoring-environment.ts'
import { uniqueName } from '../support/stack.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'
import { runReplay, runWeir, startReplay } from './replay-process.ts'
import { readRun } from './replay-world.ts'

const DAY_MS = 86_400_000
/** A killed process' lanes are free after its session, and three processes start on two cores. */
const LONG = { timeout: 600_000 }

const fill = (
  { stack, definition, schemaIds }: ScoringEnvironment,
  count: number,
): Promise<unknown> =>
  prefillTopic({
    brokers: stack.kafkaBrokers,
    transactionsTopic: definition.topics.transactions,
    labelsTopic: definition.topics.labels,
    schemaIds,
    generator: { count, customers: 300, terminals: 100, startTimeMs: Date.now() - 40 * DAY_MS },
    disturbances: { poisonShare: 0.01, lateShare: 0.01 },
  })

/**
 * Topics that end with what no reader ever sees: a lane commits nothing behind its last message.
 */
async function abortAtEnd({ kafka, definition, keyPrefix }: ScoringEnvironment): Promise<void> {
  const producer = kafka.producer({
    transactionalId: `${keyPrefix}-aborted`,
    idempotent: true,
    maxInFlightRequests: 1,
  })
  await producer.connect()
  const transaction = await producer.transaction()
  const messages = Array.from({ length: 100 }, () => ({ value: 'never seen' }))
  for (const topic of inputTopicsOf(definition)) await transaction.send({ topic, messages })
  await transaction.abort()
  await producer.disconnect()
}

const variablesOf = ({ stack, keyPrefix }: ScoringEnvironment): Record<string, string> => ({
  WEIR_KAFKA_BROKERS: stack.kafkaBrokers.join(','),
  WEIR_REGISTRY_URL: stack.registryUrl,
  WEIR_REDIS_URL: stack.redisUrl,
  WEIR_TOPIC_PREFIX: `${keyPrefix}.`,
  // Those of the live scorer, which a replay has to leave alone.
  WEIR_KEY_PREFIX: keyPrefix,
  WEIR_GROUP_ID: keyPrefix,
})

/** What of the run is left at the brokers and in Redis. */
async function traces(
  { kafka, stack }: ScoringEnvironment,
  run: string,
): Promise<readonly string[]> {
  const admin = kafka.admin()
  const redis = new Redis(stack.redisUrl)
  await admin.connect()
  try {
    const topics = await admin.listTopics()
    const { groups } = await admin.listGroups()
    const keys = await redis.keys(`*weir-replay/named/${run}*`)
    const names = [...topics, ...groups.map(({ groupId }) => groupId), ...keys]
    return names.filter((name) => name.includes(run))
  } finally {
    redis.disconnect()
    await admin.disconnect()
  }
}

/** All logs and fences of the run; its terms stay. */
async function loseState({ stack }: ScoringEnvironment, run: string): Promise<void> {
  const redis = new Redis(stack.redisUrl)
  try {
    const keys = await redis.keys(`{weir-replay/named/${run}:*`)
    expect(keys).not.toEqual([])
    await redis.unlink(...keys)
  } finally {
    redis.disconnect()
  }
}

describe('a run of several processes on one partition', () => {
  let place: ScoringEnvironment
  beforeAll(async () => {
    place = await openScoringEnvironment({ purpose: 'shared-replay', partitions: 1 })
    await fill(place, 3000)
    await abortAtEnd(place)
  })
  afterAll(() => place?.close())

  it('replay - gives the bytes of a replay of topics, and leaves nothing', LONG, async () => {
    const run = uniqueName('run')
    const folder = temporaryFolder()
    const variables = variablesOf(place)
    const edges = ['--from-offsets', '0:100']
    const alone = await runReplay(['--topics', ...edges, '--out', join(folder, 'alone')], variables)
    expect(alone.stderr).toMatch(/into/)
    const scored = await runReplay(['--topics', '--into-topics', run, ...edges], variables)
    expect(scored.stderr).toMatch(/run .* is scored/)
    expect(await traces(place, run)).not.toEqual([])
    const out = join(folder, 'shared')
    const collected = await runReplay(['--collect', run, '--out', out], variables)
    expect(collected.stderr).toMatch(/into/)
    expect(collected.code).toBe(0)
    for (const name of ['scored.parquet', 'rejected.ndjson', 'report.json', 'report.html']) {
      const [one, several] = ['alone', 'shared'].map((each) =>
        readFileSync(join(folder, each, name)),
      )
      expect(several!.equals(one!), name).toBe(true)
    }
    expect(JSON.parse(readFileSync(join(out, 'manifest.json'), 'utf8'))).toMatchObject({
      collected: { run, order: 'as scored' },
    })
    expect(await traces(place, run)).toEqual([])
    expect(existsSync(out)).toBe(true)
  })
})

/** All that live scoring has left: keys to the byte, ends of topics, committed offsets. */
async function liveState({ kafka, stack, keyPrefix, definition, groupId }: ScoringEnvironment) {
  const admin = kafka.admin()
  const redis = new Redis(stack.redisUrl)
  await admin.connect()
  try {
    const names = (await redis.keys(`*${keyPrefix}*`)).filter((key) => !key.includes('weir-replay'))
    const keys = await Promise.all(
      names.sort().map(async (key) => [key, (await redis.dumpBuffer(key)).toString('hex')]),
    )
    const topics = Object.values(definition.topics)
    const ends = await Promise.all(topics.map((topic) => admin.fetchTopicOffsets(topic!)))
    const committed = await admin.fetchOffsets({
      groupId,
      topics: inputTopicsOf(definition) as string[],
    })
    return { keys, ends, committed }
  } finally {
    redis.disconnect()
    await admin.disconnect()
  }
}

describe('a run of several processes on four partitions', () => {
  const COUNT = 20_000
  let place: ScoringEnvironment
  let variables: Record<string, string>

  beforeAll(async () => {
    // Minutes lie between two events of this history: with the usual second of drift the processes
    // would wait for each other at each of them.
    const pipelineText = replaceLine('pipeline:', 'pipeline: card-fraud\nalign: { maxDrift: 6h }')
    place = await openScoringEnvironment({ purpose: 'shared-replay', partitions: 4, pipelineText })
    variables = variablesOf(place)
    await fill(place, COUNT)
    const scorer = await place.startScorer()
    await untilCommitted(place)
    scorer.signal('SIGTERM')
    await scorer.ended
  })
  afterAll(() => place?.close())

  // Begins in the middle: what lies before does not exist for the run, nor for parity.
  const range = ['--from-offsets', '0:300,1:200', '--to-offsets', '2:3000']

  const start = (run: string) => {
    const child = startReplay(
      ['--pipeline', place.pipelineFile, '--topics', '--into-topics', run, ...range],
      variables,
    )
    const ended = once(child, 'close').then(([code]) => code as number | null)
    let stderr = ''
    const { promise: isUnderWay, resolve } = Promise.withResolvers<void>()
    child.stderr!.on('data', (text) => {
      stderr += text
      if (/^[1-9]\d* of/m.test(stderr)) resolve()
    })
    return { child, ended, isUnderWay, said: () => stderr }
  }

  const prove = async (run: string): Promise<ParityReport> => {
    const { code, stdout, stderr } = await runWeir(
      ['parity', '--pipeline', place.pipelineFile, '--run', run, '--json'],
      variables,
    )
    expect(stderr).not.toMatch(/WEIR_/)
    expect(code, stdout).toBe(0)
    return JSON.parse(stdout.trim().split('\n').at(-1)!)
  }

  const collect = async (run: string) => {
    const out = join(temporaryFolder(), 'run')
    const { code, stdout, stderr } = await runReplay(
      ['--pipeline', place.pipelineFile, '--collect', run, '--out', out, '--json'],
      variables,
    )
    expect(stderr).toMatch(/into/)
    expect(code).toBe(0)
    return readRun(out, JSON.parse(stdout.trim().split('\n').at(-1)!))
  }

  it(
    'replay - scores each event once though a process is killed, and live state is the same',
    LONG,
    async () => {
      const before = await liveState(place)
      const run = uniqueName('run')
      const processes = [start(run), start(run), start(run)]
      await Promise.race(processes.map(({ isUnderWay }) => isUnderWay))
      processes[0]!.child.kill('SIGKILL')
      const short = await runReplay(
        [
          ...['--pipeline', place.pipelineFile],
          ...['--collect', run, '--out', join(temporaryFolder(), 'run')],
        ],
        variables,
      )
      expect(short.stderr).toContain('expected all at their ends')
      expect(short.code).toBe(2)
      expect(await Promise.all(processes.slice(1).map(({ ended }) => ended))).toEqual([0, 0])
      const report = await prove(run)
      expect(report).toMatchObject({ unverified: 0, offenders: [] })
      const collected = await collect(run)
      expect(collected.report.events).toBe(report.received)
      expect(collected.report.scored).toBe(report.events)
      expect(await traces(place, run)).toEqual([])
      expect(await liveState(place)).toEqual(before)
    },
  )

  it(
    'replay - goes on after all its processes were killed and its state was lost',
    LONG,
    async () => {
      const run = uniqueName('run')
      const killed = [start(run), start(run)]
      await Promise.race(killed.map(({ isUnderWay }) => isUnderWay))
      for (const { child } of killed) child.kill('SIGKILL')
      await Promise.all(killed.map(({ ended }) => ended))
      await loseState(place, run)
      const again = start(run)
      expect(await again.ended, again.said()).toBe(0)
      expect(await prove(run)).toMatchObject({ unverified: 0, offenders: [] })
      await collect(run)
      expect(await traces(place, run)).toEqual([])
    },
  )
})
