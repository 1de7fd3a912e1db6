// How far back a pipeline looks: one answer, whoever asks, and topics that are kept long enough for
// it.

import { describe, expect, it } from 'vitest'
import {
  loadPipelineFile,
  readPipelineText,
} from '../../services/adapters/pipeline-file/pipeline-file.ts'
import { clockSlackMs, journalRetentionMs } from '../../services/core/look-back.ts'
import type { PipelineDefinition } from '../../services/core/pipeline-definition.ts'
import { needsOf } from '../../services/doctor/needs.ts'
import { createFindings } from '../../services/parity/findings.ts'
import { shelveLabels } from '../../services/parity/labels/label-orders.ts'
import { createRecomputation } from '../../services/parity/recomputation.ts'
import { planFeatures } from '../../services/pipeline/enrich/feature-plan.ts'
import { planPublish } from '../../services/pipeline/publish/compose-records.ts'
import { freshMemory } from '../../services/pipeline/publish/lane-metadata.ts'
import type { ScoredTransactionRecord } from '../../services/pipeline/publish/output-records.ts'
import { planLookBack } from '../../services/restore/plan/look-back.ts'
import { transactionOf } from '../support/batches.ts'
import { customer, DAY_MS, HOUR_MS, pipelineOf, windowFeature } from '../support/pipelines.ts'
import { createRandom, type Random } from '../support/random.ts'

const SEEDS = 200
const NOW_MS = 1_800_000_000_000

const windowsWithTails = [
  ['1m', ['0s']],
  ['6h', ['0s', '1h']],
  ['1d', ['0s', '1h', '1d']],
  ['90d', ['0s', '6h', '30d']],
] as const

/** A file whose windows, delays, tails and times are random; without a `store.retention`. */
function randomFile(random: Random): string {
  const windows = Array.from({ length: random.integer(1, 4) }, (_, i) => {
    const [window, tails] = random.pick(windowsWithTails)
    const delay = random.pick(['0s', '0s', '1h', '7d'])
    const tail = random.pick<string>(tails)
    const shape = `op: count, window: ${window}, delay: ${delay}, tail: ${tail}`
    return `  - { name: f${i}, entity: customer, ${shape} }`
  })
  return `pipeline: small
topics: { transactions: tx, labels: tx.labels }
entities:
  customer: { key: [customerId] }
features:
${windows.join('\n')}
validate: { futureMax: ${random.pick(['10s', '1m', '2h'])} }
late: { allowed: ${random.pick(['0s', '10m', '1d'])}, then: score_only }
model: { name: small, version: "1" }
policy: { review: 0.4, block: 0.8 }
`
}

const askers = {
  pipelineFile: async ({ store }: PipelineDefinition) => store.retentionMs - DAY_MS,
  doctor: async (definition: PipelineDefinition) =>
    needsOf(definition).lookBackMs - clockSlackMs(definition),
  restore: async (definition: PipelineDefinition) => {
    const history = {
      bounds: async () => ({ first: 0, end: 1 }),
      offsetAt: async () => 0,
      open: () => Promise.reject(new Error('nothing is read')),
    }
    const lane = {
      address: { stream: 'transactions', partition: 0, laneId: 0, topic: 'tx' },
      committedOffset: 1,
      memory: { ...freshMemory(), watermarkMs: NOW_MS },
    } as const
    const plan = await planLookBack({ definition, history, lanes: [lane], fromMs: null })
    return NOW_MS - plan.neededMs - clockSlackMs(definition)
  },
  parity: async (definition: PipelineDefinition) => {
    // The longest reach with which an event still finds all of its windows in rows that were read.
    let [isReached, isMissed] = [-1, 2_000 * DAY_MS]
    while (isMissed - isReached > 1) {
      const middle = Math.floor((isReached + isMissed) / 2)
      if (isLeftOut(definition, NOW_MS - middle - 1)) isReached = middle
      else isMissed = middle
    }
    return isMissed
  },
}

/**
 * Whether parity leaves an event out whose log was read from its sixth row on, younger than this.
 */
function isLeftOut(definition: PipelineDefinition, wholeAfterMs: number): boolean {
  const plan = planFeatures(definition)
  const transaction = transactionOf({ eventTime: NOW_MS })
  const key = plan.entities[0]!.readKey(transaction)
  const findings = createFindings(10)
  const recomputation = createRecomputation({
    definition,
    labels: shelveLabels([], plan),
    findings,
    history: { bases: [new Map([[key, 5]])], wholeAfterMs, areLabelsWhole: true },
  })
  const record = {
    transactionId: transaction.transactionId,
    sourcePartition: 0,
    sourceOffset: 7,
    scoredTime: NOW_MS,
    ordinals: [5],
    labelsSeen: [],
    features: plan.features.map(() => 0),
    featureSet: planPublish(definition, plan.labelEntityCount).featureSet,
  } as unknown as ScoredTransactionRecord
  recomputation.take([{ record, transaction, isJudged: true }])
  return findings.unverified().history === 1
}

describe('look back', () => {
  it('the pipeline file, the doctor, a restore and parity look back equally far', async () => {
    let tails = 0
    for (let seed = 1; seed <= SEEDS; seed++) {
      const { definition, faults } = readPipelineText(randomFile(createRandom(seed)))
      expect(faults, `seed ${seed}`).toEqual([])
      const answers = await Promise.all(Object.values(askers).map((ask) => ask(definition!)))
      const said = Object.keys(askers).map((name, i) => [name, answers[i]])
      expect(new Set(answers).size, `seed ${seed}: ${said.join(' ')}`).toBe(1)
      tails += definition!.features.some((f) => f.kind === 'window' && f.tailMs > 0) ? 1 : 0
    }
    expect(tails).toBeGreaterThan(SEEDS / 4)
  })

  it('a pipeline with a tail: what the doctor calls enough is what a restore needs', async () => {
    const features = [
      windowFeature({
        entity: 'customer',
        op: 'count',
        windowMs: 90 * DAY_MS,
        delayMs: 14 * DAY_MS,
        tailMs: 30 * DAY_MS,
      }),
    ]
    const definition = pipelineOf({ entities: [customer], features })
    const { lookBackMs } = needsOf(definition)
    expect(lookBackMs).toBe(134 * DAY_MS + definition.late.allowedMs + HOUR_MS)
    expect(lookBackMs - HOUR_MS).toBe(await askers.restore(definition))
  })

  it('what is created keeps longer than that, for a week in which no scorer runs', () => {
    for (let seed = 1; seed <= SEEDS; seed++) {
      const { definition } = readPipelineText(randomFile(createRandom(seed)))
      const retentionMs = journalRetentionMs(definition!)
      const { lookBackMs } = needsOf(definition!)
      expect(retentionMs, `seed ${seed}`).toBeGreaterThanOrEqual(lookBackMs + 7 * DAY_MS)
      expect(retentionMs).toBeGreaterThanOrEqual(definition!.store.retentionMs + 7 * DAY_MS)
      expect(retentionMs).toBeGreaterThanOrEqual(45 * DAY_MS)
      expect(retentionMs % DAY_MS).toBe(0)
    }
  })

  it.each([
    ['card-fraud', 45],
    ['handbook-best', 113],
  ])('topics of pipelines/%s.yaml are made for %i days', (name, days) => {
    expect(journalRetentionMs(loadPipelineFile(`pipelines/${name}.yaml`))).toBe(days * DAY_MS)
  })
})
