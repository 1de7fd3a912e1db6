// `weir replay --into-topics` as processes: what several of them score is what one scores, and live state
// does not know of it.
//
// One partition has one order, so the bytes are those of `--topics`. Four partitions in three processes, one
// of them killed: every event once, every vector proved by parity for the order in which it was scored.

import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Redis } from 'ioredis'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { prefillTopic } from '../../load/generator/prefill.ts'
import { openScoringPlace, type ScoringPlace } from '../support/scoring-place.ts'
import { uniqueName } from '../support/stack.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'
import { runReplay } from './replay-process.ts'

const DAY_MS = 86_400_000

const fill = ({ stack, definition, schemaIds }: ScoringPlace, count: number): Promise<unknown> =>
  prefillTopic({
    brokers: stack.kafkaBrokers,
    transactionsTopic: definition.topics.transactions,
    labelsTopic: definition.topics.labels,
    schemaIds,
    generator: { count, customers: 100, terminals: 40, startTimeMs: Date.now() - 40 * DAY_MS },
    disturbances: { poisonShare: 0.01, lateShare: 0.01 },
  })

const variablesOf = ({ stack, keyPrefix }: ScoringPlace): Record<string, string> => ({
  WEIR_KAFKA_BROKERS: stack.kafkaBrokers.join(','),
  WEIR_REGISTRY_URL: stack.registryUrl,
  WEIR_REDIS_URL: stack.redisUrl,
  WEIR_TOPIC_PREFIX: `${keyPrefix}.`,
  // Those of the live scorer, which a replay has to leave alone.
  WEIR_KEY_PREFIX: keyPrefix,
  WEIR_GROUP_ID: keyPrefix,
})

/** What of the run is left at the brokers and in Redis. */
async function traces({ kafka, stack }: ScoringPlace, run: string): Promise<readonly string[]> {
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

describe('a run of several processes on one partition', () => {
  let place: ScoringPlace
  beforeAll(async () => {
    place = await openScoringPlace({ purpose: 'shared-replay', partitions: 1 })
    await fill(place, 3000)
  })
  afterAll(() => place?.close())

  it('replay - gives the bytes of a replay of topics, and leaves nothing', async () => {
    const run = uniqueName('run')
    const folder = temporaryFolder()
    const variables = variablesOf(place)
    const edges = ['--from-offsets', '0:100', '--to-offsets', '0:2500']
    const alone = await runReplay(
      ['--topics', ...edges, '--out', join(folder, 'alone')],
      variables,
    )
    expect(alone.stderr).toMatch(/into/)
    const scored = await runReplay(['--topics', '--into-topics', run, ...edges], variables)
    expect(scored.stderr).toMatch(/run .* is scored/)
    expect(await traces(place, run)).not.toEqual([])
    const out = join(folder, 'shared')
    const collected = await runReplay(['--collect', run, '--out', out], variables)
    expect(collected.stderr).toMatch(/into/)
    expect(collected.code).toBe(0)
    for (const name of ['scored.parquet', 'rejected.ndjson', 'report.json', 'report.html']) {
      const [one, several] = ['alone', 'shared'].map((each) => readFileSync(join(folder, each, name)))
      expect(several!.equals(one!), name).toBe(true)
    }
    expect(JSON.parse(readFileSync(join(out, 'manifest.json'), 'utf8'))).toMatchObject({
      collected: { run, order: 'as scored' },
    })
    expect(await traces(place, run)).toEqual([])
    expect(existsSync(out)).toBe(true)
  })
})
