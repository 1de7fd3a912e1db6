// How far back the topics have to be read: per lane the first offset that a bucket needs.
//
//   ─────┬───────────────┬──────────────────────────────┬─────────────► broker time
//     wanted           needed                    newest event time
//        └── retention ──┴── longest window + late.allowed ──┘          (both with an hour of slack)
//
// A bucket that knows a lane needs what follows its applied offset. One that knows nothing wants all that
// a log can hold, so that even silent entities keep their ordinals, and needs what windows look at.
// Refused (WEIR_ENRICH_STATE_LOST): a topic that begins after what is needed, unless that is accepted.
// Invariant: a row that is not in the range is too old for every window of every event to come.

import { WeirError } from '../core/errors.ts'
import type { PipelineDefinition } from '../core/pipeline-definition.ts'
import { formatTime } from './format-time.ts'
import type { RestoreHistory, RestoreLane } from './history.ts'

export type LookBack = {
  /** First offset to read where everything up to `appliedOffset` is known; -1 = nothing. */
  readonly startOf: (laneId: number, appliedOffset: number) => number
  /** Rows up to this time may lack neighbours that came before the first offset, ms. */
  readonly raggedUntilMs: number
  /** Broker time from which on a log that begins is whole; infinity where that cannot be known, ms. */
  readonly wholeFromMs: number
}

export type LookBackOptions = {
  readonly definition: PipelineDefinition
  readonly history: RestoreHistory
  readonly lanes: readonly RestoreLane[]
  /** Goes on with what the topics have, although windows will miss some of it. */
  readonly acceptShort: boolean
  /** Begins at this broker time instead of where logs can begin; null = there. */
  readonly fromMs: number | null
}

/** Broker time and event time may differ by as much; futureMax where that is more. */
const SLACK_MS = 3_600_000

type LaneStart = {
  readonly lane: RestoreLane
  readonly firstOffset: number
  readonly wantedOffset: number
  readonly neededOffset: number
}

export async function planLookBack(options: LookBackOptions): Promise<LookBack> {
  const { definition, lanes, fromMs } = options
  const newestMs = Math.max(...lanes.map(({ memory }) => memory.watermarkMs))
  const slackMs = Math.max(SLACK_MS, definition.validate.futureMaxMs)
  const neededMs = newestMs - longestLookBackMs(definition) - slackMs
  const { retentionMs } = definition.store
  const wantedMs = fromMs ?? Math.min(neededMs, newestMs - retentionMs - slackMs)
  const starts = new Map<number, LaneStart>()
  for (const lane of lanes) {
    // A lane without a watermark has committed nothing that left a row.
    if (lane.memory.watermarkMs < 0) continue
    starts.set(lane.address.laneId, await findStart(lane, { ...options, wantedMs, neededMs }))
  }
  const startOf = (laneId: number, appliedOffset: number): number => {
    const start = starts.get(laneId)
    if (start === undefined) return Number.POSITIVE_INFINITY
    const { firstOffset, wantedOffset } = start
    if (isShort(start, appliedOffset) && !options.acceptShort) throw tooShort(start, neededMs)
    return Math.max(appliedOffset + 1, wantedOffset, firstOffset)
  }
  const isAllThere = fromMs === null && [...starts.values()].every((start) => !isShort(start, -1))
  return {
    startOf,
    raggedUntilMs: wantedMs + slackMs,
    wholeFromMs: isAllThere ? wantedMs + retentionMs : Number.POSITIVE_INFINITY,
  }
}

/** The furthest back that any feature looks for the latest event that is still counted. */
export function longestLookBackMs({ features, late }: PipelineDefinition): number {
  const reachesMs = features.flatMap((feature) =>
    feature.kind === 'window' ? [feature.windowMs + feature.delayMs + feature.tailMs] : [],
  )
  return Math.max(0, ...reachesMs) + late.allowedMs
}

type Moments = LookBackOptions & { readonly wantedMs: number; readonly neededMs: number }

async function findStart(
  lane: RestoreLane,
  { history, wantedMs, neededMs }: Moments,
): Promise<LaneStart> {
  const { address } = lane
  return {
    lane,
    firstOffset: await history.firstOffset(address),
    wantedOffset: await history.offsetAt(address, wantedMs),
    neededOffset: await history.offsetAt(address, Math.max(wantedMs, neededMs)),
  }
}

/** Something that is needed and was not applied may have left the topic. */
function isShort(start: LaneStart, appliedOffset: number): boolean {
  const { firstOffset, neededOffset, lane } = start
  if (firstOffset <= appliedOffset + 1) return false
  return neededOffset <= firstOffset && lane.committedOffset > appliedOffset + 1
}

function tooShort({ lane, firstOffset }: LaneStart, neededMs: number): WeirError {
  const { topic, partition } = lane.address
  const detail =
    `${topic}/${partition} begins at offset ${firstOffset}, and what came before is needed ` +
    `back to ${formatTime(neededMs)}. Raise retention.ms of the topic to the longest window; to go on ` +
    'with what is there, run `weir rebuild --accept-short`.'
  return new WeirError('WEIR_ENRICH_STATE_LOST', detail)
}
