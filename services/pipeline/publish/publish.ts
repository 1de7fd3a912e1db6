// The publish stage: a decided batch in, one delivery per lane out, and one call of the publisher.
//
// Every arrival of the batch leaves here with exactly one outcome: scored, rejected or diverted (a
// label has none: its offset alone moves). Nothing is refused; a lane whose delivery is in doubt is
// reported to the pipeline. Invariant (conservation): per lane, scored + rejected + diverted +
// skipped + labels = arrivals, checked on every batch.

import { assertInvariant, type RejectionCode } from '../../core/errors.ts'
import { hashToShare } from '../../core/hash.ts'
import { type DecidedBatch, type Rejection, setAsideFor } from '../records.ts'
import {
  composeAlert,
  composeApplied,
  composeDriftSample,
  composeRejected,
  composeScored,
  keyOf,
  type PublishContext,
} from './compose-records.ts'
import { encodeLaneMemory } from './lane-metadata.ts'
import type { OutputEncoders } from './output-records.ts'
import type {
  DeliveryOutcome,
  LaneDelivery,
  OutputRecord,
  OutputTopic,
  Publisher,
} from './publisher.ts'

export type PublishDeps = {
  readonly context: PublishContext
  readonly encoders: OutputEncoders
  readonly publisher: Publisher
}

/** What became of one lane's share of a batch. */
export type LaneTally = {
  readonly outcome: DeliveryOutcome
  readonly events: number
  readonly scored: number
  readonly labels: number
  readonly diverted: number
  /** Not picked by `where`, and labels without a verdict. */
  readonly skipped: number
  readonly review: number
  readonly block: number
  readonly braked: number
  readonly samples: number
  readonly rejected: ReadonlyMap<RejectionCode, number>
}

type LaneDraft = {
  events: number
  scored: number
  labels: number
  diverted: number
  skipped: number
  review: number
  block: number
  braked: number
  samples: number
  readonly rejected: Map<RejectionCode, number>
  readonly records: Record<OutputTopic, OutputRecord[]>
}

export async function publish(
  decided: DecidedBatch,
  scoredTimeMs: number,
  deps: PublishDeps,
): Promise<readonly LaneTally[]> {
  const { batch } = decided.scored.enriched
  const drafts = batch.lanes.map(createDraft)
  addScored(drafts, decided, scoredTimeMs, deps)
  addRefused(drafts, decided, scoredTimeMs, deps)
  addSetAside(drafts, decided, scoredTimeMs, deps)
  for (const draft of drafts) assertConserved(draft)
  const outcomes = await deps.publisher.deliver(
    batch.lanes.map((lane, i): LaneDelivery => {
      const memory = { watermarkMs: lane.watermarkMs, brake: decided.brakesAfter[i]! }
      return {
        laneId: lane.laneId,
        records: drafts[i]!.records,
        fromOffset: lane.fromOffset,
        nextOffset: lane.lastOffset + 1,
        metadata: encodeLaneMemory(memory),
      }
    }),
  )
  return drafts.map(({ records: _, ...counts }, i) => ({ ...counts, outcome: outcomes[i]! }))
}

const createDraft = (): LaneDraft => ({
  events: 0,
  scored: 0,
  labels: 0,
  diverted: 0,
  skipped: 0,
  review: 0,
  block: 0,
  braked: 0,
  samples: 0,
  rejected: new Map(),
  records: { scored: [], alerts: [], driftSamples: [], rejected: [], late: [] },
})

function addScored(
  drafts: readonly LaneDraft[],
  decided: DecidedBatch,
  scoredTimeMs: number,
  { context, encoders }: PublishDeps,
): void {
  const { enriched, reasons } = decided.scored
  const { batch } = enriched
  const samplingRate = context.definition.drift.sampleShare
  for (let row = 0; row < enriched.count; row++) {
    if (setAsideFor(decided.scored, row) !== undefined) continue
    const event = composeScored(decided, row, scoredTimeMs, context)
    const index = enriched.arrivalIndexes[row]!
    const draft = drafts[batch.laneIndexes[index]!]!
    const { records } = draft
    const arrival = batch.arrivals[index]!
    const key = keyOf(arrival)
    records.scored.push({ key, value: encoders.scored(event) })
    draft.scored++
    if (event.decidedBy === 'brake') draft.braked++
    const alert = event.decision !== 'approve'
    if (alert) {
      if (event.decision === 'review') draft.review++
      else draft.block++
      const parts = { ...context, reasons: reasons.get(row) }
      const composed = composeAlert(event, arrival.raw, parts)
      records.alerts.push({ key, value: encoders.alerts(composed) })
    }
    const sampled = hashToShare(event.transactionId) < samplingRate
    if (!alert && !sampled) continue
    const sample = composeDriftSample(event, { samplingRate, sampled, alert })
    records.driftSamples.push({ key, value: encoders.driftSamples(sample) })
    draft.samples++
  }
}

function tooLate(latenessMs: number, allowedMs: number): Rejection {
  const detail = `found ${latenessMs} ms late, expected at most ${allowedMs}`
  return { code: 'WEIR_ENRICH_LATE', stage: 'enrich', detail }
}

/** Rejected and diverted events with their original bytes; labels are only counted. */
function addRefused(
  drafts: readonly LaneDraft[],
  decided: DecidedBatch,
  rejectedTimeMs: number,
  { context, encoders }: PublishDeps,
): void {
  const { batch, diverted } = decided.scored.enriched
  for (let i = 0; i < batch.arrivals.length; i++) {
    const arrival = batch.arrivals[i]!
    const draft = drafts[batch.laneIndexes[i]!]!
    draft.events++
    if (arrival.label !== null) draft.labels++
    const { rejection } = arrival
    if (rejection === null) continue
    if (rejection.code === 'WEIR_DECODE_SKIPPED') {
      draft.skipped++
      continue
    }
    const lane = batch.lanes[batch.laneIndexes[i]!]!
    const refused = { arrival, lane, rejection, rejectedTimeMs, latenessMs: null }
    const value = encoders.rejected(composeRejected(refused, context))
    draft.records.rejected.push({ key: keyOf(arrival), value })
    count(draft, rejection)
  }
  for (const i of diverted) {
    const arrival = batch.arrivals[i]!
    const draft = drafts[batch.laneIndexes[i]!]!
    const lane = batch.lanes[batch.laneIndexes[i]!]!
    const latenessMs = batch.latenessMs[i]!
    const rejection = tooLate(latenessMs, context.definition.late.allowedMs)
    const refused = { arrival, lane, rejection, rejectedTimeMs, latenessMs }
    const value = encoders.late(composeRejected(refused, context))
    draft.records.late.push({ key: keyOf(arrival), value })
    draft.diverted++
  }
}

const count = ({ rejected }: LaneDraft, { code }: Rejection): void => {
  rejected.set(code, (rejected.get(code) ?? 0) + 1)
}

/** Counted in the logs, and published as rejected: with its place there. */
function addSetAside(
  drafts: readonly LaneDraft[],
  { scored }: DecidedBatch,
  rejectedTimeMs: number,
  { context, encoders }: PublishDeps,
): void {
  const { batch, arrivalIndexes } = scored.enriched
  for (const [row, rejection] of scored.setAside ?? []) {
    const index = arrivalIndexes[row]!
    const arrival = batch.arrivals[index]!
    const lane = batch.lanes[batch.laneIndexes[index]!]!
    const draft = drafts[batch.laneIndexes[index]!]!
    const applied = composeApplied(scored, row, context)
    const refused = { arrival, lane, rejection, rejectedTimeMs, latenessMs: null, applied }
    const value = encoders.rejected(composeRejected(refused, context))
    draft.records.rejected.push({ key: keyOf(arrival), value })
    count(draft, rejection)
  }
}

function assertConserved({ events, scored, labels, diverted, skipped, rejected }: LaneDraft): void {
  let refused = 0
  for (const count of rejected.values()) refused += count
  assertInvariant(
    scored + labels + diverted + skipped + refused === events,
    `${scored} scored + ${labels} labels + ${diverted} diverted + ${skipped} skipped + ${refused} ` +
      `rejected is not ${events}`,
  )
}
