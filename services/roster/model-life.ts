// What became of one model in a pipeline: every step of the ledger that changed its part, with who
// and why.
//
// In: a model, the steps of the ledger in their order. Out: those that moved it, oldest first.
// Nothing is refused.

import type { Roster, RosterModel } from './roster.ts'
import { canaryModel, isSameModel, type RosterStep } from './roster-change.ts'

export type LifeStep = {
  readonly epoch: number
  readonly whenMs: number
  readonly who: string
  readonly why: string
  /** Its part before and after: champion, canary with its share, challenger, or none. */
  readonly before: string
  readonly after: string
}

export const lifeOf = (
  { name, version }: RosterModel,
  steps: readonly RosterStep[],
): readonly LifeStep[] =>
  steps.flatMap(({ before, after }) => {
    const model = { name, version }
    const parts = { before: partOf(before, model), after: partOf(after, model) }
    if (parts.before === parts.after) return []
    const { epoch, whenMs, who, why } = after
    return [{ epoch, whenMs, who, why, ...parts }]
  })

function partOf(roster: Roster, model: RosterModel): string {
  if (isSameModel(roster.champion, model)) return 'champion'
  const canary = canaryModel(roster)
  if (canary !== null && isSameModel(canary, model)) {
    return `canary for ${Math.round(roster.canary!.share * 100)} %`
  }
  return roster.challengers.some((other) => isSameModel(other, model)) ? 'challenger' : 'none'
}
