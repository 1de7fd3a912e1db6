// Promise 1 again: exactly once while lanes change hands under load.
//
// Two scorers share four partitions of live traffic. One of them is stopped for longer than its
// session and wakes up as a zombie with work in flight; a third one joins and leaves. All that is
// asserted is read from the topics and the label logs.

import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { repositoryFolder } from '../../dev/stack/repository.ts'
import type { Progress } from '../../load/generator/schedule.ts'
import type { ScorerProcess } from '../../load/scorer/scorer-process.ts'
import { untilCommitted } from '../support/committed-offsets.ts'
import { judgeHistory, type Verdict } from '../support/judge-history.ts'
import { openScoringEnvironment, type ScoringEnvironment } from '../support/scoring-environment.ts'
import { uniqueName } from '../support/stack.ts'
import { collectTopics, type TopicCollector } from '../support/topic-collector.ts'
import { waitFor } from '../support/wait-for.ts'
import { allTopicsOf, readWeirTopics, type WeirTopics } from '../support/weir-topics.ts'

const RATE = 600
const SECONDS_MAX = 90

let place: ScoringEnvironment
let collector: TopicCollector
let topics: WeirTopics
let sent: Progress
let verdict: Verdict
const ends: string[] = []

const lanesOf = async (scorer: ScorerProcess): Promise<number> => {
  const health = await scorer.health()
  return health === null ? 0 : health.streams.transactions.lanes + health.streams.labels.lanes
}

async function untilLanes(scorer: ScorerProcess, isEnough: (lanes: number) => boolean) {
  await waitFor(
    async () => {
      scorer.assertRunning()
      return isEnough(await lanesOf(scorer))
    },
    () => `another share of the lanes; see ${scorer.logFile}`,
  )
}

async function untilScored(more: number): Promise<void> {
  const { scored } = place.definition.topics
  const before = collector.records(scored).length
  await waitFor(
    () => collector.records(scored).length >= before + more,
    () => `${collector.records(scored).length} scored, expected ${before + more}`,
  )
}

async function disturb(): Promise<void> {
  const [first, second] = [await place.startScorer(), await place.startScorer()]
  await untilLanes(first, (lanes) => lanes === 4)
  await untilLanes(second, (lanes) => lanes === 4)
  await untilScored(500)
  first.signal('SIGSTOP')
  await untilLanes(second, (lanes) => lanes === 8)
  await untilScored(500)
  first.signal('SIGCONT')
  await untilLanes(first, (lanes) => lanes === 4)
  await untilScored(500)
  const third = await place.startScorer()
  await untilLanes(third, (lanes) => lanes > 0)
  await untilScored(500)
  third.signal('SIGTERM')
  ends.push(await third.ended)
  await untilScored(500)
}

/**
 * The shipped pipeline; alignment has no part in this promise and makes two scorers catch up
 * slowly.
 */
function writePipeline(): string {
  const file = join('.weir', 'tests', `${uniqueName('takeover')}.yaml`)
  mkdirSync(join(repositoryFolder, '.weir', 'tests'), { recursive: true })
  const shipped = readFileSync(join(repositoryFolder, 'pipelines', 'card-fraud.yaml'), 'utf8')
  writeFileSync(join(repositoryFolder, file), `${shipped}\nalign: { maxDrift: 1h, maxWait: 10s }\n`)
  return file
}

beforeAll(async () => {
  place = await openScoringEnvironment({ purpose: 'takeover', pipelineFile: writePipeline() })
  const { definition, kafka } = place
  collector = await collectTopics(kafka, allTopicsOf(definition))
  topics = readWeirTopics(definition, collector)
  const traffic = await place.startTraffic({
    rate: RATE,
    seconds: SECONDS_MAX,
    generator: { customers: 500, terminals: 250 },
    disturbances: { poisonShare: 0.01, lateShare: 0.01 },
  })
  try {
    await disturb()
  } finally {
    sent = await traffic.stop()
  }
  await untilCommitted(place)
  for (const scorer of place.scorers()) {
    scorer.signal('SIGTERM')
    ends.push(await scorer.ended)
  }
  await collector.untilEnd()
  verdict = await judgeHistory(place, topics)
})
afterAll(async () => {
  await collector?.close()
  await place?.close()
})

describe('exactly once, with a zombie and two rebalances under load', () => {
  it('every message is scored or rejected once, none twice, none never', () => {
    expect(topics.received()).toHaveLength(sent.transactions + sent.poison)
    expect(verdict.missing).toEqual([])
    expect(verdict.repeated).toEqual([])
    expect(topics.rejected()).toHaveLength(sent.poison)
  })

  it('ordinals are dense, and every vector is that of an undisturbed run', () => {
    expect(verdict.recomputed.differences.slice(0, 5)).toEqual([])
    expect(verdict.recomputed.vectors).toBe(sent.transactions)
  })

  it('every fraud label stands once in the label logs', () => {
    expect(sent.labels).toBeGreaterThan(0)
    expect(verdict.labelFaults).toEqual([])
  })

  it('lateness is that of the partition, whoever held it', () => {
    expect(verdict.latenessDifferences.slice(0, 5)).toEqual([])
  })

  it('every scorer drains and ends well, the zombie too', () => {
    expect(ends).toEqual(ends.map(() => 'exited with code 0'))
    expect(ends).toHaveLength(4)
  })
})
