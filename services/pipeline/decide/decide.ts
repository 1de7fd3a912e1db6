// The decide stage: scores in, decisions out, by the pipeline file's policy.
//
// Synchronous. Per event, in this order: a deny list blocks; an allow list approves; else the band
// of the deciding model's score decides. A lane whose share of flagged events passes
// `flaggedShareMax` is braked: its bands turn observe-only (approve, decided by the brake) until
// the share falls again, because a model that suddenly flags everybody is broken more often than
// right. Invariant: the brake moves event by event in the lane's order and travels in the committed
// offset, so decisions do not depend on batch borders, crashes or redelivery. Batches must
// therefore come in their order: the lanes' brakes are moved on in place, and copied for the
// offset's metadata.

import type { ListRule, PolicyDefinition } from '../../core/pipeline-definition.ts'
import {
  type Brake,
  type DecidedBatch,
  type Decision,
  type DecisionSource,
  decidingModel,
  type ScoredBatch,
  scoreOf,
  setAsideFor,
  type Transaction,
} from '../records.ts'

/** A list with the key of its entity: the pipeline wires it from the feature plan. */
type PlannedList = {
  readonly readKey: (transaction: Transaction) => string
  readonly keys: ReadonlySet<string>
}

export type DecideDeps = {
  readonly policy: Pick<
    PolicyDefinition,
    'review' | 'block' | 'flaggedShareMax' | 'brakeWindowEvents'
  >
  readonly deny: readonly PlannedList[]
  readonly allow: readonly PlannedList[]
}

type KeyedEntity = {
  readonly name: string
  readonly readKey: (transaction: Transaction) => string
}

/** The policy's lists with the keys of their entities. */
export function planDecide(policy: PolicyDefinition, entities: readonly KeyedEntity[]): DecideDeps {
  const planLists = (rules: readonly ListRule[]): PlannedList[] =>
    rules.map(({ entity, keys }) => ({
      readKey: entities.find(({ name }) => name === entity)!.readKey,
      keys: new Set(keys),
    }))
  return { policy, deny: planLists(policy.deny), allow: planLists(policy.allow) }
}

export function decide(scored: ScoredBatch, deps: DecideDeps): DecidedBatch {
  const { enriched } = scored
  const { batch, count, arrivalIndexes } = enriched
  const decisions: Decision[] = new Array(count)
  const decidedBy: DecisionSource[] = new Array(count)
  for (let row = 0; row < count; row++) {
    const index = arrivalIndexes[row]!
    const transaction = batch.arrivals[index]!.transaction!
    // Nobody decides on an event without a score, and it moves no brake.
    if (setAsideFor(scored, row) !== undefined) {
      decisions[row] = 'review'
      decidedBy[row] = 'policy'
      continue
    }
    const byScore = bandOf(scoreOf(scored, decidingModel(scored, row), row), deps.policy)
    const brake = batch.brakes[batch.laneIndexes[index]!]!
    const isClosed = moveBrake(brake, byScore !== 'approve', deps.policy)
    if (isListed(transaction, deps.deny)) {
      decisions[row] = 'block'
      decidedBy[row] = 'deny_list'
    } else if (isListed(transaction, deps.allow)) {
      decisions[row] = 'approve'
      decidedBy[row] = 'allow_list'
    } else {
      const isHeldBack = isClosed && byScore !== 'approve'
      decisions[row] = isHeldBack ? 'approve' : byScore
      decidedBy[row] = isHeldBack ? 'brake' : 'policy'
    }
  }
  return { scored, decisions, decidedBy, brakesAfter: batch.brakes.map((brake) => ({ ...brake })) }
}

const bandOf = (score: number, { review, block }: DecideDeps['policy']): Decision =>
  score >= block ? 'block' : score >= review ? 'review' : 'approve'

function isListed(transaction: Transaction, lists: readonly PlannedList[]): boolean {
  for (const { readKey, keys } of lists) if (keys.has(readKey(transaction))) return true
  return false
}

export const createBrake = (): Brake => ({
  events: 0,
  flagged: 0,
  eventsBefore: 0,
  flaggedBefore: 0,
})

/** Share of flagged events over the running window and the whole one before it. */
export function flaggedShare({ events, flagged, eventsBefore, flaggedBefore }: Brake): number {
  const all = events + eventsBefore
  return all === 0 ? 0 : (flagged + flaggedBefore) / all
}

/** Whether flags are withheld at this moment; says nothing before a full window has passed. */
export const isBraked = (brake: Brake, policy: DecideDeps['policy']): boolean =>
  brake.events + brake.eventsBefore >= policy.brakeWindowEvents &&
  flaggedShare(brake) > policy.flaggedShareMax

/** Counts one event; true if the lane is braked then. */
function moveBrake(brake: Brake, isFlagged: boolean, policy: DecideDeps['policy']): boolean {
  brake.events++
  if (isFlagged) brake.flagged++
  const isClosed = isBraked(brake, policy)
  if (brake.events >= policy.brakeWindowEvents) {
    brake.eventsBefore = brake.events
    brake.flaggedBefore = brake.flagged
    brake.events = 0
    brake.flagged = 0
  }
  return isClosed
}
