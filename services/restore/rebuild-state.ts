// `weir rebuild`: a store that is empty, or for another feature table, filled before scorers start.
//
//   nobody at work? ─► fence every lane's producer ─► what is committed ─► restore ─► fences set
//
// In: the topics, the group, the store. Out: what was restored; a scorer that starts now goes on at
// the committed offsets, with nothing left to put back. Refused: a group with members, a lane that
// was at work within the last seconds, another process that restores (WEIR_ENRICH_STORE_UNSURE).
// Invariant: producers are fenced before committed offsets are read, so that those are final.

import type { Kafka } from '../adapters/kafka/client/kafka-client.ts'
import { WeirError } from '../core/errors.ts'
import type { PipelineDefinition } from '../core/pipeline-definition.ts'
import type { LaneTransactions } from '../lanes/lane-transactions.ts'
import { planFeatures } from '../pipeline/enrich/feature-plan.ts'
import type { LaneFrontier } from '../pipeline/enrich/log-store.ts'
import { readCommittedLanes } from './committed-lanes.ts'
import type { RestoreHistory, RestoreLane } from './plan/history.ts'
import type { AdmittingStages } from './read/admit-messages.ts'
import type { RestorableStore } from './restorable-store.ts'
import { type RestoreOptions, type RestoreReport, runRestore } from './run-restore.ts'

export type RebuildEnvironment = {
  readonly kafka: Kafka
  readonly groupId: string
  readonly transactions: Pick<LaneTransactions, 'open'>
  readonly store: RestorableStore
  /** Frontiers as the store holds them, with when each lane was last at work. */
  readonly readFrontiers: () => Promise<readonly LaneFrontier[]>
  readonly history: RestoreHistory
  readonly stages: AdmittingStages
  readonly nowMs: () => number
}

type RebuildOptions = Pick<RestoreOptions, 'acceptShort' | 'renumber' | 'fromMs' | 'onProgress'> & {
  readonly definition: PipelineDefinition
}

/** Every lane tells the store of itself several times in so long. */
const LIVE_MS = 15_000

export async function rebuildState(
  place: RebuildEnvironment,
  options: RebuildOptions,
): Promise<RestoreReport> {
  const { definition } = options
  await refuseLive(place)
  const lanes = await fenceLanes(place, definition)
  const session = await place.store.begin()
  if (session === null) {
    throw new WeirError('WEIR_ENRICH_STORE_UNSURE', 'Another process is restoring it now.')
  }
  try {
    const plan = planFeatures(definition)
    const { history, stages } = place
    return await runRestore({ ...options, plan, session, history, stages, lanes })
  } finally {
    await session.end()
  }
}

async function refuseLive({
  kafka,
  groupId,
  readFrontiers,
  nowMs,
}: RebuildEnvironment): Promise<void> {
  const admin = kafka.admin()
  await admin.connect()
  try {
    const { groups } = await admin.describeGroups([groupId])
    const members = groups.flatMap((group) => group.members)
    if (members.length > 0) {
      const clients = members.map(({ clientId }) => clientId).join(', ')
      throw live(`Group ${groupId} has ${members.length} members (${clients}).`)
    }
  } finally {
    await admin.disconnect()
  }
  for (const { laneId, touchedMs } of await readFrontiers()) {
    const idleMs = nowMs() - touchedMs
    if (touchedMs > 0 && idleMs < LIVE_MS) {
      throw live(`Lane ${laneId} was at work ${Math.max(0, Math.round(idleMs / 1000))} s ago.`)
    }
  }
}

const live = (found: string): WeirError =>
  new WeirError(
    'WEIR_ENRICH_STORE_UNSURE',
    `${found} Stop all scorers of the pipeline, wait ${LIVE_MS / 1000} s, and run this again; ` +
      'scorers put back by themselves what their store has lost.',
  )

/** Nobody can commit for these lanes any more, not even a scorer that was stopped and wakes up. */
async function fenceLanes(
  { kafka, groupId, transactions }: RebuildEnvironment,
  definition: PipelineDefinition,
): Promise<readonly RestoreLane[]> {
  for (const { address } of await readCommittedLanes(kafka, groupId, definition)) {
    await transactions.open(address)
  }
  return readCommittedLanes(kafka, groupId, definition)
}
