// Which challenger is on trial, since when, and what a verdict on it means for the roster.
//
// In: the roster in force and every step that led to it. Out: the trial, and the change that a
// verdict asks for. Pure. Invariants: the canary is the one on trial, else the newest challenger of
// the champion's name; who was rolled back once does not advance by itself again, until a person
// takes it out of the shadow and puts it there anew.

import type { Roster, RosterModel } from '../roster/roster.ts'
import {
  canaryModel,
  canaryShares,
  isSameModel,
  type RosterChange,
  type RosterStep,
} from '../roster/roster-change.ts'
import type { Verdict } from './judge.ts'

export type Trial = {
  readonly champion: RosterModel
  readonly challenger: RosterModel
  /** Of the customers it decides for; 0 in the shadow. */
  readonly share: number
  /** Roster with which it came beside this champion: evidence counts from here on. */
  readonly sinceEpoch: number
  readonly sinceMs: number
  /** Roster with which its share was last changed. */
  readonly stepEpoch: number
  readonly stepMs: number
  /** A person or a guard took its customers away. */
  readonly isRolledBack: boolean
}

/** null: nobody is on trial. */
export function findTrial(inForce: Roster, steps: readonly RosterStep[]): Trial | null {
  const { champion, challengers, canary } = inForce
  const ofName = challengers.filter(({ name }) => name === champion.name)
  const challenger = canaryModel(inForce) ?? ofName.at(-1)
  if (challenger === undefined) return null
  const share = canary?.share ?? 0
  const rosters = rostersOf(inForce, steps)
  const sameTrial = (roster: Roster): boolean =>
    isSameModel(roster.champion, champion) &&
    roster.challengers.some((other) => isSameModel(other, challenger))
  const since = earliest(rosters, sameTrial)
  const step = earliest(
    rosters,
    (roster) => sameTrial(roster) && shareOf(roster, challenger) === share,
  )
  return {
    champion,
    challenger,
    share,
    sinceEpoch: since.epoch,
    sinceMs: since.whenMs,
    stepEpoch: step.epoch,
    stepMs: step.whenMs,
    isRolledBack: steps.some(
      ({ action, before, after }) =>
        action === 'rollback' &&
        after.epoch > since.epoch &&
        shareOf(before, challenger) > shareOf(after, challenger),
    ),
  }
}

/** null: the roster stays as it is. */
export function changeFor(
  { share, challenger, isRolledBack }: Trial,
  { action }: Verdict,
): RosterChange | null {
  if (action === 'roll_back') {
    // First its customers are taken away, which loads nothing; if the shadow finds it at fault too,
    // it goes.
    return share > 0
      ? { action: 'rollback', drops: false }
      : { action: 'unshadow', model: challenger }
  }
  if (action !== 'advance' || isRolledBack) return null
  const next = canaryShares.find((wider) => wider > share)
  return next === undefined
    ? { action: 'promote', model: null }
    : { action: 'canary', version: challenger.version, share: next }
}

/** Newest first. */
const rostersOf = (inForce: Roster, steps: readonly RosterStep[]): readonly Roster[] => [
  inForce,
  ...steps
    .map(({ before }) => before)
    .filter(({ epoch }) => epoch < inForce.epoch)
    .sort((a, b) => b.epoch - a.epoch),
]

/** The last of those from the newest on that all fit. */
function earliest(rosters: readonly Roster[], fits: (roster: Roster) => boolean): Roster {
  const end = rosters.findIndex((roster) => !fits(roster))
  return rosters.at(end < 0 ? -1 : Math.max(0, end - 1))!
}

const shareOf = (roster: Roster, model: RosterModel): number => {
  const canary = canaryModel(roster)
  return canary !== null && isSameModel(canary, model) ? roster.canary!.share : 0
}
