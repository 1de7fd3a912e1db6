// From arrivals to rows: made by the enrich stage's own code, so that keys, kinds, sources and
// stored values are those of the live path.
//
// In: arrivals of one lane. Out: per transaction a row for each entity and a look at its labels;
// per fraud label a row for each entity with labels.

import type { LaneAddress } from '../../lanes/lane-input.ts'
import { type CollectedRecords, collectRecords } from '../../pipeline/enrich/collect-records.ts'
import type { FeaturePlan } from '../../pipeline/enrich/feature-plan.ts'
import { freshMemory } from '../../pipeline/publish/lane-metadata.ts'
import type { Arrival, Batch } from '../../pipeline/records.ts'
import type { Row } from './log-draft.ts'

/** Nothing is late here: who was, is known from the journal or from the lane's memory. */
const NEVER_LATE = { allowedMs: Number.POSITIVE_INFINITY, then: 'score_only' } as const

export const collectRows = (
  address: LaneAddress,
  arrivals: readonly Arrival[],
  plan: FeaturePlan,
): CollectedRecords => collectRecords(batchOf(address, arrivals), { plan, late: NEVER_LATE })

/** Arrivals of one lane as the enrich stage wants them. */
export function batchOf(
  { laneId, stream, partition }: LaneAddress,
  arrivals: readonly Arrival[],
): Batch {
  const firstOffset = arrivals[0]?.raw.offset ?? 0
  return {
    lanes: [
      {
        laneId,
        stream,
        partition,
        epoch: 0,
        fromOffset: firstOffset,
        committedOffset: firstOffset,
        firstOffset,
        lastOffset: arrivals.at(-1)?.raw.offset ?? firstOffset,
        watermarkMs: 0,
        frontierMs: 0,
        isIdle: false,
      },
    ],
    arrivals,
    laneIndexes: new Uint16Array(arrivals.length),
    latenessMs: new Float64Array(arrivals.length),
    brakes: [freshMemory().brake],
  }
}

/** The row of an entry; its values are a view of the records. */
export function rowAt({ records }: CollectedRecords, entry: number, plan: FeaturePlan): Row {
  const { eventTimesMs, sources, kinds, values, valueStride } = records
  const from = entry * valueStride
  return {
    timeMs: eventTimesMs[entry]!,
    source: sources[entry]!,
    values: values.subarray(from, from + plan.kinds[kinds[entry]!]!.shape.values),
  }
}
