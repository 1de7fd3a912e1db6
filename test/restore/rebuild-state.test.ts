// Point 6 on the real stack: the store is lost with work in flight, `weir rebuild` refills it from
// the topics, and nobody can tell afterwards: parity over all topics, before and after the loss.

import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { Redis } from 'ioredis'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { repositoryFolder } from '../../dev/stack/repository.ts'
import { prefillTopic } from '../../load/generator/prefill.ts'
import type { ParityReport } from '../../services/parity/parity-report.ts'
import { untilCommitted } from '../support/committed-offsets.ts'
import { killWithWorkInFlight } from '../support/kill-in-flight.ts'
import { parityOf } from '../support/parity-of-environment.ts'
import { openScoringEnvironment, type ScoringEnvironment } from '../support/scoring-environment.ts'
import { waitFor } from '../support/wait-for.ts'

const EVENTS = 20_000

type Ended = { readonly code: number; readonly out: string; readonly error: string }

let place: ScoringEnvironment
let refusal: Ended
let rebuilt: Ended
let again: Ended
let deletedKeys = 0
let parity: ParityReport

beforeAll(async () => {
  place = await openScoringEnvironment({ purpose: 'rebuild' })
  const { definition, schemaIds, stack } = place
  await prefillTopic({
    brokers: stack.kafkaBrokers,
    transactionsTopic: definition.topics.transactions,
    labelsTopic: definition.topics.labels,
    schemaIds,
    generator: {
      count: EVENTS,
      customers: 500,
      terminals: 200,
      startTimeMs: Date.now() - 40 * 86_400_000,
    },
    disturbances: { poisonShare: 0.01, lateShare: 0.01 },
  })
  const first = await place.startScorer()
  await first.untilClaimed()
  first.signal('SIGSTOP')
  refusal = await runRebuild()
  first.signal('SIGCONT')
  await killWithWorkInFlight(place, first)
  deletedKeys = await deleteKeys()
  await waitFor(
    async () => {
      rebuilt = await runRebuild()
      return rebuilt.code !== 2
    },
    () => `the group is still alive: ${rebuilt.error}`,
    { everyMs: 1000 },
  )
  again = await runRebuild()
  const second = await place.startScorer()
  await untilCommitted(place)
  second.signal('SIGTERM')
  expect(await second.ended).toBe('exited with code 0')
  parity = await parityOf(place)
})
afterAll(async () => {
  await place?.close()
})

function runRebuild(): Promise<Ended> {
  const { stack, groupId, keyPrefix } = place
  const environment = {
    WEIR_KAFKA_BROKERS: stack.kafkaBrokers.join(','),
    WEIR_REDIS_URL: stack.redisUrl,
    WEIR_REGISTRY_URL: stack.registryUrl,
    WEIR_TOPIC_PREFIX: `${groupId}.`,
    WEIR_GROUP_ID: groupId,
    WEIR_KEY_PREFIX: keyPrefix,
  }
  const program = join(repositoryFolder, 'services/cli/main.ts')
  const options = {
    cwd: repositoryFolder,
    env: { ...process.env, ...environment },
    timeout: 120_000,
  }
  return new Promise((resolve) => {
    const args = [program, 'rebuild', '--json']
    execFile(process.execPath, args, options, (failure, out, error) => {
      resolve({ code: failure === null ? 0 : Number(failure.code ?? 1), out, error })
    })
  })
}

/** The pipeline's keys, as if its Redis had come back empty. */
async function deleteKeys(): Promise<number> {
  const redis = new Redis(place.stack.redisUrl)
  let deleted = 0
  for await (const keys of redis.scanStream({ match: `{${place.keyPrefix}*`, count: 1000 })) {
    if ((keys as string[]).length > 0) deleted += await redis.unlink(keys as string[])
  }
  redis.disconnect()
  return deleted
}

describe('rebuild', () => {
  it('rebuild - refuses while a scorer is at work, and says what to do', () => {
    expect(refusal.error).toMatch(/has 1 members|was at work \d+ s ago/)
    expect(refusal.error).toContain('Stop all scorers')
    expect(refusal.code).toBe(2)
  })

  it('rebuild - refills every bucket of a store that came back empty', () => {
    expect(deletedKeys).toBeGreaterThan(100)
    expect(rebuilt, rebuilt.error).toMatchObject({ code: 0 })
    const report = JSON.parse(rebuilt.out.trimEnd().split('\n').at(-1)!) as Record<string, number>
    expect(report.buckets).toBe(place.definition.store.buckets)
    expect(report.logs).toBeGreaterThan(100)
    expect(report.events).toBeGreaterThan(1000)
  })

  it('rebuild - finds nothing to do where the store is whole', () => {
    expect(again.code, again.error).toBe(0)
    expect(JSON.parse(again.out)).toMatchObject({ buckets: 0, logs: 0 })
    expect(again.error).toContain('Nothing is missing')
  })

  it('rebuild - ordinals and vectors are those of a run that lost nothing', () => {
    expect(parity.offenders.slice(0, 5)).toEqual([])
    expect(parity).toMatchObject({
      events: EVENTS,
      differences: 0,
      ordinalGaps: 0,
      ordinalClashes: 0,
      missing: 0,
      duplicated: 0,
    })
  })
})
