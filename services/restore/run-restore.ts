// Putting lost state back: the logs of buckets that know less than what is committed, from the
// topics.
//
//   fences ─► buckets that are behind ─► passes over the topics ─► logs written, fences raised
//
// The topic of scored events is the journal of the logs' order: each event tells its ordinals. So a
// restored log has the rows, the order and the ordinals of the one that was lost, and every event
// to come gets the vector that it would have had. In: a session on the store (nobody advances, all
// commits are final), the history, the lanes. Out: what was restored. Refused
// (WEIR_ENRICH_STATE_LOST): topics that begin too late, stored logs that contradict what was
// published.

import { limits } from '../core/limits.ts'
import type { PipelineDefinition } from '../core/pipeline-definition.ts'
import type { FeaturePlan } from '../pipeline/enrich/feature-plan.ts'
import { type FoldPolicy, foldWhenWorthwhile } from '../pipeline/enrich/fold-log.ts'
import { type BucketTask, isCommittedBy } from './lay/bucket-draft.ts'
import type { RestoreHistory, RestoreLane } from './plan/history.ts'
import { planLookBack } from './plan/look-back.ts'
import type { RestoreContext } from './plan/restore-context.ts'
import type { AdmittingStages } from './read/admit-messages.ts'
import type { LaneProgress, RestoreSession } from './restorable-store.ts'
import { restorePass } from './restore-pass.ts'

export type RestoreOptions = {
  readonly definition: PipelineDefinition
  readonly plan: FeaturePlan
  readonly session: RestoreSession
  readonly history: RestoreHistory
  readonly stages: AdmittingStages
  /** All lanes of both streams. */
  readonly lanes: readonly RestoreLane[]
  readonly acceptShort?: boolean
  readonly renumber?: boolean
  /** Begins at this broker time instead of where logs can begin. */
  readonly fromMs?: number | null
  /** Rows held at once; tests reach a small ceiling sooner. */
  readonly rowsMax?: number
  readonly foldPolicy?: FoldPolicy
  readonly onProgress?: (progress: RestoreProgress) => void
}

export type RestoreProgress = {
  readonly pass: number
  readonly bucketsLeft: number
  /** Events read so far, those of passes before included. */
  readonly events: number
}

export type RestoreReport = {
  readonly buckets: number
  readonly logs: number
  readonly events: number
  /**
   * Rows of events that had been applied and were not committed, below rows of events that were.
   */
  readonly holes: number
  readonly passes: number
}

export async function runRestore(options: RestoreOptions): Promise<RestoreReport> {
  const { session, lanes, onProgress = () => undefined } = options
  let left = findTasks(session.fences, lanes)
  const report = { buckets: 0, logs: 0, events: 0, holes: 0, passes: 0 }
  if (left.length === 0) return report
  const lookBack = await planLookBack({ ...options, fromMs: options.fromMs ?? null })
  const context: RestoreContext = {
    ...options,
    allLanes: lanes,
    lookBack,
    wholeAfterMs: lookBack.wholeAfterMs,
    isCommitted: isCommittedBy(lanes),
    foldPolicy: options.foldPolicy ?? foldWhenWorthwhile,
    acceptShort: options.acceptShort ?? false,
    renumber: options.renumber ?? false,
    uncommittedMax: limits.batchEventsMax * limits.batchesInFlightMax * 2,
    rowsMax: options.rowsMax ?? limits.restoreRowsMax,
    noteEvents: (events) => {
      report.events += events
      onProgress({ pass: report.passes, bucketsLeft: left.length, events: report.events })
    },
  }
  while (left.length > 0) {
    report.passes++
    const outcome = await restorePass(left, context)
    report.buckets += left.length - outcome.postponed.length
    report.logs += outcome.logs
    report.holes += outcome.holes
    left = outcome.postponed
  }
  return report
}

/** The buckets that know less of a lane than it has committed. */
function findTasks(
  fences: RestoreSession['fences'],
  lanes: readonly RestoreLane[],
): readonly BucketTask[] {
  return fences.flatMap((fence, bucket) => {
    const isBehind = ({ address, committedOffset }: RestoreLane): boolean =>
      (fence.get(address.laneId)?.appliedOffset ?? -1) < committedOffset - 1
    return lanes.some(isBehind) ? [{ bucket, fence: whatIsKnown(fence) }] : []
  })
}

/** A fence of claims alone knows nothing: all logs begin anew. */
const whatIsKnown = (
  fence: ReadonlyMap<number, LaneProgress>,
): ReadonlyMap<number, LaneProgress> =>
  [...fence.values()].some(({ appliedOffset }) => appliedOffset >= 0) ? fence : new Map()
