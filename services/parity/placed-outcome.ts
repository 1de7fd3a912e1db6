// An event on its way to being computed: where it stands in the logs of its entities.

import type { ScoredTransactionRecord } from '../pipeline/publish/output-records.ts'
import type { Transaction } from '../pipeline/records.ts'
import type { Slot } from './naive/entity-slots.ts'
import type { Place } from './naive/placed-vectors.ts'

/** An event on its way to being computed. */
export type PlacedOutcome = Outcome & {
  readonly slots: readonly Slot[]
  missing: number
  /** Entities' places, then their labels', once it is computed. */
  places: readonly Place[]
  /** The order of its labels could not be told for sure. */
  isUnsure: boolean
}

/** A scored event beside the transaction in the message that it was made from. */
export type Outcome = {
  readonly record: ScoredTransactionRecord
  readonly transaction: Transaction
  /** Outside the range asked for, an event is part of the logs and no more. */
  readonly isJudged: boolean
}

export type Computed = { readonly vector: Float32Array; readonly isSaturated: boolean }
