// The enrich stage's arithmetic on logs that somebody else has laid out.
//
// In: events, each with its place in each of its logs. Out: their vectors, computed by the same two
// functions as live, with nothing between them but places. Invariant: no store is asked and no log
// is changed; what an event sees follows from its places alone.

import { type CollectedRecords, collectRecords } from '../../pipeline/enrich/collect-records.ts'
import { computeVectors } from '../../pipeline/enrich/compute-vectors.ts'
import type { EntityLog } from '../../pipeline/enrich/entity-log.ts'
import type { FeaturePlan } from '../../pipeline/enrich/feature-plan.ts'
import type { Arrival, Batch, EnrichedBatch, Label, Transaction } from '../../pipeline/records.ts'

/** Where an event stands in a log, and how many rows lie before it there. */
export type Place = {
  readonly log: EntityLog
  /** Row of the event; -1 where it is not counted or only looks. */
  readonly position: number
  readonly visible: number
}

type PlacedEvent = {
  readonly transaction: Transaction
  readonly isCounted: boolean
  /** Its entities' logs in the plan's order, then the label logs of those that have some. */
  readonly places: readonly Place[]
}

export function computePlaced(events: readonly PlacedEvent[], plan: FeaturePlan): EnrichedBatch {
  const places = events.flatMap((event) => event.places)
  const batch = batchOf(events.map(toArrival), events.map(lanesOfEvents))
  const reply = {
    logs: places.map(({ log }) => log),
    positions: Int32Array.from(places, ({ position }) => position),
    visible: Int32Array.from(places, ({ visible }) => visible),
  }
  return computeVectors(batch, collectOf(batch, plan), reply, plan)
}

type Sent = {
  readonly laneId: number
  readonly offset: number
  readonly transaction: Transaction | null
  readonly label: Label | null
}

/** The records that live scoring would hand to the store: keys, sources and stored values. */
export function collectSent(sent: readonly Sent[], plan: FeaturePlan): CollectedRecords {
  const arrivals = sent.map(({ offset, transaction, label }) => ({
    raw: { offset, brokerTimeMs: 0, key: null, value: null },
    transaction,
    label,
    rejection: null,
  }))
  const batch = batchOf(
    arrivals,
    sent.map(({ laneId }) => ({ laneId, latenessMs: 0 })),
  )
  return collectOf(batch, plan)
}

/** Nothing is diverted here: an event that was scored is to be computed. */
const collectOf = (batch: Batch, plan: FeaturePlan): CollectedRecords =>
  collectRecords(batch, { plan, late: { allowedMs: 0, then: 'score_only' } })

const toArrival = ({ transaction }: PlacedEvent): Arrival => ({
  raw: { offset: 0, brokerTimeMs: 0, key: null, value: null },
  transaction,
  label: null,
  rejection: null,
})

const lanesOfEvents = ({ isCounted }: PlacedEvent) => ({ laneId: 0, latenessMs: isCounted ? 0 : 1 })

type LaneOf = { readonly laneId: number; readonly latenessMs: number }

/** A batch as the stages want it; the fences' numbers are of no use here. */
function batchOf(arrivals: readonly Arrival[], lanesOf: readonly LaneOf[]): Batch {
  const laneIds = [...new Set(lanesOf.map(({ laneId }) => laneId))]
  return {
    lanes: laneIds.map((laneId) => ({
      laneId,
      stream: laneId % 2 === 0 ? 'transactions' : 'labels',
      partition: laneId >> 1,
      epoch: 1,
      fromOffset: 0,
      committedOffset: 0,
      firstOffset: 0,
      lastOffset: 0,
      watermarkMs: 0,
      frontierMs: 0,
      isIdle: false,
    })),
    arrivals,
    laneIndexes: Uint16Array.from(lanesOf, ({ laneId }) => laneIds.indexOf(laneId)),
    latenessMs: Float64Array.from(lanesOf, ({ latenessMs }) => latenessMs),
    brakes: laneIds.map(() => ({ events: 0, flagged: 0, eventsBefore: 0, flaggedBefore: 0 })),
  }
}
