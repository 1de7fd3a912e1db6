// The publish stage: one outcome per arrival, one delivery per lane, and nothing left to chance.

import { createHash } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { createEncoder } from '../../../services/adapters/registry/avro-codec.ts'
import { readSchema } from '../../../services/adapters/registry/schema-files.ts'
import { limits } from '../../../services/core/limits.ts'
import { setAsideAll } from '../../../services/pipeline/classify/set-aside.ts'
import { planPublish } from '../../../services/pipeline/publish/compose-records.ts'
import type {
  DriftSampleRecord,
  FraudAlertRecord,
  OutputEncoders,
  RejectedRecord,
  ScoredTransactionRecord,
} from '../../../services/pipeline/publish/output-records.ts'
import { publish } from '../../../services/pipeline/publish/publish.ts'
import type {
  DeliveryOutcome,
  LaneDelivery,
  OutputTopic,
} from '../../../services/pipeline/publish/publisher.ts'
import type { Arrival, DecidedBatch, Decision } from '../../../services/pipeline/records.ts'
import { fraudLabelOf, transactionOf } from '../../support/batches.ts'
import { decodeJson, jsonEncoders } from '../../support/memory-scorer.ts'
import { customer, fieldFeature, pipelineOf } from '../../support/pipelines.ts'
import {
  arrivalOf,
  batchOfParts,
  decidedOf,
  enrichedOf,
  rawOf,
  scoredOf,
  sliceOf,
} from '../../support/stage-batches.ts'

const SCORED_TIME_MS = 5_000_000
const MIB = 1024 * 1024
/** Lengths, deltas and attributes around a record of a batch. */
const RECORD_OVERHEAD = 30

const definition = pipelineOf({
  entities: [customer],
  features: [fieldFeature({ field: 'amountMinor' })],
})

type Options = {
  readonly outcomes?: readonly DeliveryOutcome[]
  readonly sampleShare?: number
  readonly encoders?: OutputEncoders
  readonly run?: string | undefined
}

async function publishBatch(decided: DecidedBatch, options: Options = {}) {
  const { outcomes, sampleShare = 0, encoders = jsonEncoders, run = null } = options
  const planned = { ...definition, drift: { sampleShare } }
  const context = planPublish(planned, 0, run)
  const calls: (readonly LaneDelivery[])[] = []
  const publisher = {
    deliver: async (deliveries: readonly LaneDelivery[]) => {
      calls.push(deliveries)
      return outcomes ?? deliveries.map((): DeliveryOutcome => 'committed')
    },
  }
  const tallies = await publish(decided, SCORED_TIME_MS, {
    context,
    encoders,
    publisher,
  })
  const read = <T>(topic: OutputTopic, lane = 0): T[] =>
    calls[0]![lane]!.records[topic].map(({ value }) => decodeJson<T>(value))
  return { tallies, calls, read }
}

const rejectedArrival = (
  offset: number,
  code: 'WEIR_DECODE_EMPTY' | 'WEIR_VALIDATE_ID',
): Arrival => ({
  raw: { ...rawOf(offset, Buffer.from(`bad ${offset}`)), key: Buffer.from('key') },
  transaction: null,
  label: null,
  rejection: { code, stage: code === 'WEIR_DECODE_EMPTY' ? 'decode' : 'validate', detail: 'why' },
})

const labelArrival = (offset: number): Arrival => ({
  raw: rawOf(offset),
  transaction: null,
  label: fraudLabelOf(transactionOf()),
  rejection: null,
})

/** A batch of one lane with everything in it: offsets 0 to 5, of which 3 is diverted. */
function mixedBatch(decisions: readonly Decision[] = ['approve', 'review', 'block']): DecidedBatch {
  const arrivals = [
    arrivalOf(0, { amountMinor: 100 }),
    rejectedArrival(1, 'WEIR_DECODE_EMPTY'),
    arrivalOf(2, { amountMinor: 200 }),
    arrivalOf(3, { amountMinor: 300 }),
    rejectedArrival(4, 'WEIR_VALIDATE_ID'),
    arrivalOf(5, { amountMinor: 500 }),
  ]
  const batch = batchOfParts({ arrivals, latenessMs: [0, 0, 0, 99, 0, 0] })
  const reasons = new Map([[2, [{ feature: 'amountMinor', value: 500, contribution: 0.4 }]]])
  const scored = scoredOf(enrichedOf(batch, [3]), [0.1, 0.6, 0.95], { reasons })
  return decidedOf(scored, { decisions })
}

describe('publish', () => {
  it('gives every arrival one outcome, and counts them', async () => {
    const { tallies, read } = await publishBatch(mixedBatch())
    expect(tallies).toMatchObject([
      { outcome: 'committed', events: 6, scored: 3, labels: 0, diverted: 1, review: 1, block: 1 },
    ])
    expect(tallies[0]!.rejected).toEqual(
      new Map([
        ['WEIR_DECODE_EMPTY', 1],
        ['WEIR_VALIDATE_ID', 1],
      ]),
    )
    const offsets = (topic: OutputTopic) =>
      read<{ sourceOffset: number }>(topic).map(({ sourceOffset }) => sourceOffset)
    expect(offsets('scored')).toEqual([0, 2, 5])
    expect(offsets('rejected')).toEqual([1, 4])
    expect(offsets('late')).toEqual([3])
    expect(offsets('alerts')).toEqual([2, 5])
  })

  it('marks the events that a stand-in scored as degraded, and no others', async () => {
    const decided = mixedBatch()
    const degradedOf = async (scored: DecidedBatch['scored']) => {
      const { read } = await publishBatch({ ...decided, scored })
      return read<ScoredTransactionRecord>('scored').map(({ degraded }) => degraded)
    }
    expect(await degradedOf(decided.scored)).toEqual([false, false, false])
    expect(await degradedOf({ ...decided.scored, isDegraded: true })).toEqual([true, true, true])
  })

  it('refuses to publish a batch that lost an event on the way', async () => {
    const batch = batchOfParts({ arrivals: [arrivalOf(0), arrivalOf(1)] })
    const enriched = { ...enrichedOf(batch), count: 1, arrivalIndexes: Uint32Array.of(0) }
    await expect(publishBatch(decidedOf(scoredOf(enriched, [0])))).rejects.toMatchObject({
      code: expect.stringMatching(/^WEIR_INTERNAL_/),
    })
  })

  it('keeps original bytes, key, code and place of what is refused', async () => {
    const { read, calls } = await publishBatch(mixedBatch())
    const [first] = read<RejectedRecord>('rejected')
    expect(first).toMatchObject({
      code: 'WEIR_DECODE_EMPTY',
      stage: 'decode',
      detail: 'why',
      sourceTopic: 'transactions',
      sourcePartition: 0,
      sourceOffset: 1,
      brokerTime: 1_000_001,
      rejectedTime: SCORED_TIME_MS,
      latenessMs: null,
    })
    expect(Buffer.from(first!.original as Buffer).toString()).toBe('bad 1')
    expect(calls[0]![0]!.records.rejected[0]!.key).toEqual(Buffer.from('key'))
    expect(read<RejectedRecord>('late')[0]).toMatchObject({
      code: 'WEIR_ENRICH_LATE',
      latenessMs: 99,
    })
  })

  it('cuts long originals, and tells their length and hash', async () => {
    const value = Buffer.alloc(10 * MIB, 'x')
    const key = Buffer.alloc(3 * MIB, 'k')
    const [long] = [rejectedArrival(0, 'WEIR_DECODE_EMPTY')]
    const arrivals = [
      { ...long!, raw: { ...long!.raw, value, key } },
      { ...long!, raw: { ...rawOf(1), value: null } },
    ]
    const enriched = enrichedOf(batchOfParts({ arrivals }))
    const { read, calls } = await publishBatch(decidedOf(scoredOf(enriched, [])))
    const [cut, none] = read<RejectedRecord>('rejected')
    expect(Buffer.from(cut!.original as Buffer)).toEqual(value.subarray(0, MIB))
    expect(Buffer.from(cut!.originalKey as Buffer)).toHaveLength(64 * 1024)
    expect(calls[0]![0]!.records.rejected[0]!.key).toHaveLength(64 * 1024)
    const originalSha256 = createHash('sha256').update(value).digest('hex')
    expect(cut).toMatchObject({ originalBytes: 10 * MIB, originalSha256 })
    expect(none).toMatchObject({ original: null, originalBytes: null, originalSha256: null })
  })

  it('fits the longest rejections that a batch may hold into the ceiling of the output topics', async () => {
    const { batchEventsMax, batchBytesMax } = limits
    const keyBytes = Math.floor(batchBytesMax / 2 / batchEventsMax)
    const rejection = { code: 'WEIR_DECODE_NOT_AVRO', stage: 'decode', detail: 'x'.repeat(5000) }
    const refuse = (offset: number, value: Buffer | null, key: Buffer): Arrival => ({
      raw: { ...rawOf(offset), value, key },
      ...{ transaction: null, label: null, rejection: rejection as Arrival['rejection'] },
    })
    const long = Buffer.alloc(64 * MIB)
    const arrivals = Array.from({ length: batchEventsMax }, (_, i) =>
      i < batchEventsMax - 1 ? refuse(i, null, Buffer.alloc(keyBytes)) : refuse(i, long, long),
    )
    const rejected = createEncoder<RejectedRecord>(readSchema('rejected-transaction'), 1)
    const decided = decidedOf(scoredOf(enrichedOf(batchOfParts({ arrivals })), []))
    const { calls } = await publishBatch(decided, { encoders: { ...jsonEncoders, rejected } })
    const { records } = calls[0]![0]!
    const bytes = records.rejected.reduce(
      (sum, { key, value }) => sum + value.length + (key?.length ?? 0) + RECORD_OVERHEAD,
      0,
    )
    expect(bytes).toBeLessThan(8 * MIB)
    expect(bytes).toBeGreaterThan(5 * MIB)
  })

  it('names the first offset of a record batch that cannot be read', async () => {
    const { raw, ...rejected } = rejectedArrival(9, 'WEIR_DECODE_EMPTY')
    const arrivals = [{ ...rejected, raw: { ...raw, unreadable: { firstOffset: 4, detail: '' } } }]
    const enriched = enrichedOf(batchOfParts({ arrivals }))
    const { read } = await publishBatch(decidedOf(scoredOf(enriched, [])))
    const [record] = read<RejectedRecord>('rejected')
    expect(record).toMatchObject({ sourceOffsetFirst: 4, sourceOffset: 9 })
  })

  it('publishes a row that was set aside as rejected, with its place in the logs', async () => {
    const decided = mixedBatch()
    const setAside = new Map([
      [1, { code: 'WEIR_CLASSIFY_BAD_SCORE', stage: 'classify', detail: 'NaN' } as const],
    ])
    const { tallies, read } = await publishBatch({
      ...decided,
      scored: { ...decided.scored, setAside },
    })
    expect(tallies).toMatchObject([{ events: 6, scored: 2, diverted: 1, review: 0, block: 1 }])
    expect(tallies[0]!.rejected.get('WEIR_CLASSIFY_BAD_SCORE')).toBe(1)
    const scored = read<ScoredTransactionRecord>('scored').map(({ sourceOffset }) => sourceOffset)
    expect(scored).toEqual([0, 5])
    const records = read<RejectedRecord>('rejected')
    expect(records.map(({ sourceOffset, applied }) => [sourceOffset, applied !== null])).toEqual([
      [1, false],
      [4, false],
      [2, true],
    ])
    expect(records[2]).toMatchObject({
      code: 'WEIR_CLASSIFY_BAD_SCORE',
      stage: 'classify',
      detail: 'NaN',
      applied: { features: [200], ordinals: [0], eventsSeen: [], labelsSeen: [], saturated: false },
    })
    expect(read<FraudAlertRecord>('alerts').map(({ sourceOffset }) => sourceOffset)).toEqual([5])
  })

  it('sets a whole batch aside where the broker refuses what was made of it', async () => {
    const refusal = {
      code: 'WEIR_PUBLISH_TOO_LARGE',
      stage: 'publish',
      detail: 'too large',
    } as const
    const decided = mixedBatch()
    const refused = { ...decided, scored: setAsideAll(decided.scored.enriched, refusal) }
    const { tallies, read } = await publishBatch(refused)
    expect(tallies).toMatchObject([{ events: 6, scored: 0, diverted: 1 }])
    expect(tallies[0]!.rejected.get('WEIR_PUBLISH_TOO_LARGE')).toBe(3)
    expect(read<RejectedRecord>('rejected')[2]).toMatchObject({
      code: 'WEIR_PUBLISH_TOO_LARGE',
      stage: 'publish',
      detail: 'too large',
    })
  })

  it('puts vector, ordinals, model, decision and times into the scored event', async () => {
    const { read } = await publishBatch(mixedBatch())
    expect(read<ScoredTransactionRecord>('scored')[2]).toMatchObject({
      transactionId: 't-5',
      features: [500],
      ordinals: [0],
      score: Math.fround(0.95),
      decision: 'block',
      decidedBy: 'policy',
      reasons: ['amountMinor'],
      modelName: 'champion',
      modelSha256: 'abc',
      sourceOffset: 5,
      brokerTime: 1_000_005,
      scoredTime: SCORED_TIME_MS,
      pipeline: 'test',
    })
  })

  it('gives an alert its id by its event, so that it is the same in any batch', async () => {
    const alertsOf = async (batch: DecidedBatch, run?: string) =>
      (await publishBatch(batch, { run })).read<FraudAlertRecord>('alerts')
    const first = await alertsOf(mixedBatch())
    const ids = first.map(({ alertId }) => alertId)
    expect(new Set(ids).size).toBe(2)
    // As after a rebalance: another owner, another epoch, another cut.
    const lanes = [sliceOf(0, { epoch: 7, fromOffset: 5, firstOffset: 5, lastOffset: 5 })]
    const alone = batchOfParts({ arrivals: [arrivalOf(5, { amountMinor: 500 })], lanes })
    const again = decidedOf(scoredOf(enrichedOf(alone), [0.95]), { decisions: ['block'] })
    expect((await alertsOf(again)).map(({ alertId }) => alertId)).toEqual([ids[1]])
    const [january, twice, march] = [
      await alertsOf(mixedBatch(), 'january:1'),
      await alertsOf(mixedBatch(), 'january:1'),
      await alertsOf(mixedBatch(), 'march:1'),
    ]
    expect(twice).toEqual(january)
    const all = [...first, ...january, ...march].map(({ alertId }) => alertId)
    expect(new Set(all).size).toBe(6)
    expect(first[1]!.reasons).toEqual([{ feature: 'amountMinor', value: 500, contribution: 0.4 }])
  })

  it('delivers all lanes in one call, each with its own records, offset and memory', async () => {
    const lanes = [
      sliceOf(0, { fromOffset: 7, firstOffset: 8, lastOffset: 9, watermarkMs: 123 }),
      sliceOf(2, { fromOffset: 3, firstOffset: 3, lastOffset: 3, watermarkMs: 456 }),
    ]
    const arrivals = [arrivalOf(8), arrivalOf(3), rejectedArrival(9, 'WEIR_DECODE_EMPTY')]
    const batch = batchOfParts({ arrivals, lanes, laneIndexes: [0, 1, 0] })
    const brakesAfter = [5, 6].map((events) => ({
      events,
      flagged: 1,
      eventsBefore: 2,
      flaggedBefore: 3,
    }))
    const decided = decidedOf(scoredOf(enrichedOf(batch), [0, 0]), { brakesAfter })
    const { calls, read, tallies } = await publishBatch(decided, {
      outcomes: ['in_doubt', 'committed'],
    })
    expect(calls).toHaveLength(1)
    expect(calls[0]).toMatchObject([
      { laneId: 0, fromOffset: 7, nextOffset: 10 },
      { laneId: 2, fromOffset: 3, nextOffset: 4 },
    ])
    expect(calls[0]!.map(({ metadata }) => JSON.parse(metadata))).toEqual([
      { v: 1, watermarkMs: 123, brake: [5, 1, 2, 3] },
      { v: 1, watermarkMs: 456, brake: [6, 1, 2, 3] },
    ])
    expect(read('scored', 0)).toHaveLength(1)
    expect(read('rejected', 0)).toHaveLength(1)
    expect(read('scored', 1)).toHaveLength(1)
    expect(tallies.map(({ outcome, events }) => [outcome, events])).toEqual([
      ['in_doubt', 2],
      ['committed', 1],
    ])
  })

  it('moves the offset of a lane of labels and publishes nothing for it', async () => {
    const lanes = [sliceOf(1, { stream: 'labels', partition: 0, lastOffset: 1 })]
    const batch = batchOfParts({ arrivals: [labelArrival(0), labelArrival(1)], lanes })
    const { tallies, calls } = await publishBatch(decidedOf(scoredOf(enrichedOf(batch), [])))
    expect(tallies).toMatchObject([{ events: 2, labels: 2, scored: 0 }])
    expect(calls[0]).toMatchObject([{ nextOffset: 2 }])
    expect(Object.values(calls[0]![0]!.records).flat()).toEqual([])
  })
})

describe('publish - drift samples', () => {
  const ids = Array.from({ length: 4000 }, (_, i) => `t-${i}`)
  const sampledIds = async (order: readonly string[], sampleShare: number) => {
    const arrivals = order.map((transactionId, i) => arrivalOf(i, { transactionId }))
    const enriched = enrichedOf(batchOfParts({ arrivals }))
    const scores = arrivals.map(() => 0)
    const { read } = await publishBatch(decidedOf(scoredOf(enriched, scores)), { sampleShare })
    return read<DriftSampleRecord>('driftSamples').map(({ transactionId }) => transactionId)
  }

  it('are chosen by the id alone: the same ones in any order and batch', async () => {
    const once = await sampledIds(ids, 0.1)
    const again = [
      ...(await sampledIds(ids.toReversed().slice(0, 1500), 0.1)),
      ...(await sampledIds(ids.toReversed().slice(1500), 0.1)),
    ]
    expect(again.toSorted()).toEqual(once.toSorted())
  })

  it('are about as many as asked for; a larger share holds the smaller one', async () => {
    const few = await sampledIds(ids, 0.1)
    const many = await sampledIds(ids, 0.3)
    expect(few.length).toBeGreaterThan(300)
    expect(few.length).toBeLessThan(500)
    expect(few.filter((id) => !many.includes(id))).toEqual([])
    expect(await sampledIds(ids, 0)).toEqual([])
    expect(await sampledIds(ids, 1)).toHaveLength(ids.length)
  })

  it('hold every alert, marked as such beside those drawn', async () => {
    const { read, tallies } = await publishBatch(mixedBatch(), { sampleShare: 0 })
    expect(read<DriftSampleRecord>('driftSamples')).toMatchObject([
      { transactionId: 't-2', alert: true, sampled: false, samplingRate: 0 },
      { transactionId: 't-5', alert: true, sampled: false },
    ])
    expect(tallies[0]!.samples).toBe(2)
    const drawn = await publishBatch(mixedBatch(), { sampleShare: 1 })
    expect(drawn.read<DriftSampleRecord>('driftSamples')).toMatchObject([
      { transactionId: 't-0', alert: false, sampled: true },
      { transactionId: 't-2', alert: true, sampled: true },
      { transactionId: 't-5', alert: true, sampled: true },
    ])
  })
})
