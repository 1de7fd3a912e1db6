// How far back the topics have to be read: per lane the first offset that a bucket needs.
//
//   ─────┬───────────────┬──────────────────────────────┬─────────────► time
//     wanted           needed                    where lanes go on
//        └── retention ──┴── longest window + late.allowed ──┘        (both with an hour of slack)
//
// A bucket that knows a lane needs what follows its applied offset. One that knows nothing wants
// all that a log can hold, so that even silent entities keep their ordinals, and needs what windows
// see. Invariant: with coverage `all` or `enough`, a row that is not read is too old for every
// window of every event to come. What `short` leaves out may have been seen, so it has to be
// accepted by hand.

import { clockSlackMs, neededLookBackMs, wantedLookBackMs } from '../../core/look-back.ts'
import type { PipelineDefinition } from '../../core/pipeline-definition.ts'
import type { LaneAddress } from '../../lanes/lane-input.ts'
import type { RestoreHistory, RestoreLane } from './history.ts'

/** What the topics still have of what is wanted, best first. */
export type Coverage = 'all' | 'enough' | 'short'

export type LookBack = {
  /** First offset to read where everything up to `appliedOffset` is known; -1 = nothing is. */
  readonly startOf: (lane: RestoreLane, appliedOffset: number) => number
  /** First offset that can be read at all. */
  readonly firstOf: (lane: RestoreLane) => number
  /** @param firstOffset first one that can be read; the topic's own unless it is given. */
  readonly coverageOf: (lane: RestoreLane, appliedOffset: number, firstOffset?: number) => Coverage
  /** Rows up to this time may lack neighbours that were not read, ms. */
  readonly raggedUntilMs: Readonly<Record<Coverage, number>>
  /** A log whose first row has a later broker time than this began with it, ms. */
  readonly wholeAfterMs: number
  readonly neededMs: number
}

type LookBackOptions = {
  readonly definition: PipelineDefinition
  readonly history: RestoreHistory
  readonly lanes: readonly RestoreLane[]
  /** Begins at this broker time instead of where logs can begin; null = there. */
  readonly fromMs: number | null
}

type LaneStart = {
  readonly firstOffset: number
  readonly wantedOffset: number
  readonly neededOffset: number
}

export async function planLookBack(options: LookBackOptions): Promise<LookBack> {
  const { definition, history, lanes, fromMs } = options
  const { retentionMs } = definition.store
  const bounds = await Promise.all(lanes.map(({ address }) => history.bounds(address)))
  const goesOnMs = findOldest(lanes, bounds)
  const slackMs = clockSlackMs(definition)
  const neededMs = goesOnMs - neededLookBackMs(definition)
  const wantedMs = fromMs ?? goesOnMs - wantedLookBackMs(definition)
  const starts = new Map<RestoreLane, LaneStart>()
  for (const [i, lane] of lanes.entries()) {
    const { first } = bounds[i]!
    starts.set(lane, await findStart(lane.address, first, { history, wantedMs, neededMs }))
  }
  return {
    startOf: (lane, appliedOffset) => {
      const { firstOffset, wantedOffset } = starts.get(lane)!
      return Math.max(appliedOffset + 1, wantedOffset, firstOffset)
    },
    firstOf: (lane) => starts.get(lane)!.firstOffset,
    coverageOf: (lane, appliedOffset, firstOffset) => {
      const start = starts.get(lane)!
      const first =
        firstOffset ?? Math.max(start.firstOffset, fromMs === null ? 0 : start.wantedOffset)
      if (hasNothingBefore(lane, appliedOffset, first)) return 'all'
      // An offset found by its time tells nothing where it is the first that is left.
      if (first < start.wantedOffset) return 'all'
      return first < start.neededOffset ? 'enough' : 'short'
    },
    raggedUntilMs: {
      all: wantedMs + slackMs,
      enough: neededMs + slackMs,
      short: Number.POSITIVE_INFINITY,
    },
    wholeAfterMs: wantedMs + retentionMs,
    neededMs,
  }
}

/**
 * An end that is one record behind what is committed may be a marker of a producer's transaction.
 */
const MARKERS_MAX = 1

/** The event time from which on lanes go on: of the newest one, or of those that lag behind it. */
function findOldest(
  lanes: readonly RestoreLane[],
  bounds: readonly { readonly end: number }[],
): number {
  const watermarksMs = lanes.map(({ memory }) => memory.watermarkMs)
  const laggingMs = watermarksMs.filter((watermarkMs, i) => {
    const waiting = bounds[i]!.end - lanes[i]!.committedOffset
    return watermarkMs >= 0 && waiting > MARKERS_MAX
  })
  return Math.min(Math.max(...watermarksMs), ...laggingMs)
}

type Moments = {
  readonly history: RestoreHistory
  readonly wantedMs: number
  readonly neededMs: number
}

async function findStart(
  lane: LaneAddress,
  firstOffset: number,
  { history, wantedMs, neededMs }: Moments,
): Promise<LaneStart> {
  const earliest = await history.offsetAt(lane, 0)
  const find = async (timeMs: number): Promise<number> => {
    const offset = await history.offsetAt(lane, timeMs)
    // Offsets before the very first message are nobody's.
    return offset === earliest ? firstOffset : offset
  }
  return { firstOffset, wantedOffset: await find(wantedMs), neededOffset: await find(neededMs) }
}

/** Nothing that was committed and not applied lies before the offset. */
const hasNothingBefore = (
  { committedOffset, originOffset = 0 }: RestoreLane,
  appliedOffset: number,
  offset: number,
): boolean =>
  offset <= Math.max(originOffset, appliedOffset + 1) || committedOffset <= appliedOffset + 1
