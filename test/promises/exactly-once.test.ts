// Promise 1: exactly once, checkable by anyone, through a SIGKILL with work in flight.
//
// 20,000 generated events over 4 partitions, 1 % poison on top, some late. The first scorer is
// stopped dead at a moment when the store has applied more than is committed; a second one takes
// over. All that is asserted is read from the topics.

import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { prefillTopic } from '../../load/generator/prefill.ts'
import type { Progress } from '../../load/generator/schedule.ts'
import { untilCommitted } from '../support/committed-offsets.ts'
import { judgeHistory, type Verdict } from '../support/judge-history.ts'
import { killWithWorkInFlight } from '../support/kill-in-flight.ts'
import { openScoringEnvironment, type ScoringEnvironment } from '../support/scoring-environment.ts'
import { collectTopics, type TopicCollector } from '../support/topic-collector.ts'
import { allTopicsOf, readWeirTopics, type WeirTopics } from '../support/weir-topics.ts'

const EVENTS = 20_000

let place: ScoringEnvironment
let collector: TopicCollector
let topics: WeirTopics
let sent: Progress
let verdict: Verdict

beforeAll(async () => {
  place = await openScoringEnvironment({ purpose: 'exactly-once' })
  const { definition, kafka, schemaIds, stack } = place
  sent = await prefillTopic({
    brokers: stack.kafkaBrokers,
    transactionsTopic: definition.topics.transactions,
    labelsTopic: definition.topics.labels,
    schemaIds,
    generator: {
      count: EVENTS,
      customers: 800,
      terminals: 400,
      startTimeMs: Date.now() - 40 * 86_400_000,
    },
    disturbances: { poisonShare: 0.01, lateShare: 0.01 },
  })
  collector = await collectTopics(kafka, allTopicsOf(definition))
  topics = readWeirTopics(definition, collector)
  const first = await place.startScorer()
  await killWithWorkInFlight(place, first)
  const second = await place.startScorer()
  await untilCommitted(place)
  second.signal('SIGTERM')
  expect(await second.ended).toBe('exited with code 0')
  await collector.untilEnd()
  verdict = await judgeHistory(place, topics)
})
afterAll(async () => {
  await collector?.close()
  await place?.close()
})

describe('exactly once, with a SIGKILL in the middle', () => {
  it('every message is scored or rejected once, none twice, none never', () => {
    expect(sent).toMatchObject({ transactions: EVENTS })
    expect(topics.received()).toHaveLength(sent.transactions + sent.poison)
    expect(verdict.missing).toEqual([])
    expect(verdict.repeated).toEqual([])
    expect(topics.rejected()).toHaveLength(sent.poison)
  })

  it('every generated id is scored once', () => {
    const ids = topics.scored().map(({ transactionId }) => transactionId)
    expect(new Set(ids).size).toBe(EVENTS)
    expect(ids).toHaveLength(EVENTS)
  })

  it('ordinals are dense, and every vector is that of an undisturbed run', () => {
    expect(verdict.recomputed.vectors).toBe(EVENTS)
    expect(verdict.recomputed.differences).toEqual([])
  })

  it('every fraud label stands once in the label logs, and was seen', () => {
    expect(sent.labels).toBeGreaterThan(0)
    expect(verdict.labelFaults).toEqual([])
    expect(topics.scored().some(({ labelsSeen }) => labelsSeen[0]! > 0)).toBe(true)
  })

  it('lateness is that of the partition, as if nobody had been killed', () => {
    expect(verdict.latenessDifferences).toEqual([])
    expect(topics.scored().some(({ ordinals }) => ordinals[0] === -1)).toBe(true)
  })

  it('every flagged event has one alert', () => {
    const flagged = topics.scored().filter(({ decision }) => decision !== 'approve')
    const alerts = topics.alerts().map(({ transactionId }) => transactionId)
    expect(flagged.length).toBeGreaterThan(0)
    expect(alerts.sort()).toEqual(flagged.map(({ transactionId }) => transactionId).sort())
  })
})
