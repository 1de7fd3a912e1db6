// Rosters and steps as a person reads them: one line per fact, one line per step.
//
// In: what the ledger says. Out: lines; of all that a roster holds, only the salt is left out.
// Nothing is refused. Invariant: texts of operators hold no line breaks (changeRoster), so a step
// stays one line.

import type { Roster } from './roster.ts'
import { canaryModel, describeModel, isSameModel, type RosterStep } from './roster-change.ts'

export function rosterLines(roster: Roster): string[] {
  const { pipeline, champion, challengers, canary } = roster
  const trial = canaryModel(roster)
  return [
    `${pipeline}, epoch ${roster.epoch}: ${authorText(roster)}`,
    `champion    ${describeModel(champion)}`,
    ...challengers.map((model) => {
      const isTrial = trial !== null && isSameModel(trial, model)
      return `challenger  ${describeModel(model)}${isTrial ? `, ${canaryText(canary!.share)}` : ''}`
    }),
  ]
}

export const stepLine = ({ action, before, after }: RosterStep): string =>
  `epoch ${after.epoch}: ${action}: ${difference(before, after)}; ${authorText(after)}`

/** What a step changed, in the order champion, challengers, canary. */
function difference(before: Roster, after: Roster): string {
  const isMoved = !isSameModel(before.champion, after.champion)
  const came = after.challengers.filter((model) => !holds(before, model))
  const went = before.challengers.filter((model) => !holds(after, model))
  const parts = [
    ...(isMoved
      ? [`champion ${describeModel(before.champion)} -> ${describeModel(after.champion)}`]
      : []),
    ...came.map((model) => `challenger ${describeModel(model)} in`),
    ...went.map((model) => `challenger ${describeModel(model)} out`),
    ...canaryDifference(before, after),
  ]
  return parts.join(', ')
}

function canaryDifference(before: Roster, after: Roster): string[] {
  const [old, now] = [before.canary, after.canary]
  if (old?.share === now?.share && old?.salt === now?.salt) return []
  if (now !== null) return [`canary ${describeModel(canaryModel(after)!)} ${canaryText(now.share)}`]
  return [`canary ${describeModel(canaryModel(before)!)} ends`]
}

const holds = ({ challengers }: Roster, model: Roster['champion']): boolean =>
  challengers.some((other) => isSameModel(other, model))

const canaryText = (share: number): string =>
  `decides for ${Math.round(share * 10_000) / 100} % of the customers`

function authorText({ who, why, whenMs }: Roster): string {
  return whenMs === 0 ? why : `${who}, ${new Date(whenMs).toISOString()}: ${why}`
}
