// Which models of a pipeline run, as the control topic tells it.
//
// Epoch 0 stands for the models of the pipeline file; each change is a roster of its own with the
// next epoch. Refused: nothing here. Invariant: a higher epoch replaces a lower one, never the
// reverse.

import { hashToShare } from '../core/hash.ts'

export type RosterModel = { readonly name: string; readonly version: string }

type Canary = { readonly version: string; readonly share: number; readonly salt: string }

export type Roster = {
  readonly pipeline: string
  readonly epoch: number
  /** The model that decides. */
  readonly champion: RosterModel
  /** Models that score the same vectors without a say, in this order. */
  readonly challengers: readonly RosterModel[]
  readonly canary: Canary | null
  readonly who: string
  readonly why: string
  readonly whenMs: number
}

/** Sticky: the same customers at every event, and a wider share keeps those of a narrower one. */
export const isCanaryCustomer = ({ share, salt }: Canary, customerId: string): boolean =>
  hashToShare(`${salt}/${customerId}`) < share
