// From one roster to the next: what an operator may ask for, and what becomes of it.
//
// In: the roster in force, a change, who makes it and why, the steps made so far. Out: the next
// roster, with the next epoch. Refused with WEIR_ROSTER_REFUSED: whatever would leave no single
// answer to "who decides for this customer", what is the case already, models that are no names of
// folders, and changes without a person and a reason. Pure: nothing is read, written or kept.
// Invariants: challengers differ from each other and from the champion, a canary is one of them
// with the champion's name.

import { WeirError } from '../core/errors.ts'
import { limits } from '../core/limits.ts'
import type { PipelineDefinition } from '../core/pipeline-definition.ts'
import type { Roster, RosterModel } from './roster.ts'

const rosterActions = ['shadow', 'unshadow', 'canary', 'promote', 'rollback'] as const
export type RosterAction = (typeof rosterActions)[number]

/** Shares of the customers that a canary may decide for. */
export const canaryShares = [0.01, 0.05, 0.25, 0.5, 1] as const

export type RosterChange =
  | { readonly action: 'shadow' | 'unshadow'; readonly model: RosterModel }
  | { readonly action: 'canary'; readonly version: string; readonly share: number }
  /** A challenger becomes the champion; null = the canary. */
  | { readonly action: 'promote'; readonly model: RosterModel | null }
  /** `drops`: the model that is rolled back does not even score in the shadow afterwards. */
  | { readonly action: 'rollback'; readonly drops: boolean }

/** A change that was made. */
export type RosterStep = {
  readonly action: RosterAction
  readonly before: Roster
  readonly after: Roster
}

export type RosterAuthor = Pick<Roster, 'who' | 'why' | 'whenMs'>

type Models = Pick<Roster, 'champion' | 'challengers' | 'canary'>

/** Epoch 0: the pipeline file's models, until somebody makes a change. */
export function rosterOfFile({ pipeline, model }: RosterFile): Roster {
  const nameOf = ({ name, version }: RosterModel): RosterModel => ({ name, version })
  return {
    pipeline,
    epoch: 0,
    champion: nameOf(model.champion),
    challengers: model.challengers.map(nameOf),
    canary: null,
    who: 'pipeline file',
    why: 'models of the pipeline file',
    whenMs: 0,
  }
}

export type RosterFile = Pick<PipelineDefinition, 'pipeline' | 'model'>

/**
 * @param steps of this pipeline, in the order of their epochs: rollback looks for the champion
 * before.
 */
export function changeRoster(
  current: Roster,
  change: RosterChange,
  { author, steps }: { readonly author: RosterAuthor; readonly steps: readonly RosterStep[] },
): Roster {
  refuseAuthor(author)
  const { pipeline, epoch } = current
  const models = changeModels(current, change, steps)
  // Of both: what is left behind now is what a rollback comes back to.
  for (const { champion, challengers } of [current, models]) {
    for (const model of [champion, ...challengers]) refuseName(model)
  }
  const { who, why, whenMs } = author
  return { pipeline, epoch: epoch + 1, ...models, who: who.trim(), why: why.trim(), whenMs }
}

function changeModels(current: Roster, change: RosterChange, steps: readonly RosterStep[]): Models {
  switch (change.action) {
    case 'shadow':
      return addChallenger(current, change.model)
    case 'unshadow':
      return removeChallenger(current, change.model)
    case 'canary':
      return setCanary(current, change)
    case 'promote':
      return promote(current, change.model)
    case 'rollback':
      return rollBack(current, steps, change.drops)
  }
}

export const describeModel = ({ name, version }: RosterModel): string => `${name} ${version}`

export const isSameModel = (a: RosterModel, b: RosterModel): boolean =>
  a.name === b.name && a.version === b.version

function addChallenger({ champion, challengers, canary }: Roster, model: RosterModel): Models {
  const shown = describeModel(model)
  if (isSameModel(champion, model))
    throw refusal(`${shown} is the champion, expected another model`)
  if (holds(challengers, model)) {
    throw refusal(`${shown} is a challenger already, expected another model`)
  }
  if (challengers.length >= limits.challengersMax) {
    const expected = `expected less than ${limits.challengersMax} (challengersMax): remove one first`
    throw refusal(`found ${challengers.length} challengers, ${expected}`)
  }
  return { champion, challengers: [...challengers, model], canary }
}

function removeChallenger(current: Roster, model: RosterModel): Models {
  const { champion, challengers, canary } = current
  refuseStranger(current, model)
  const trial = canaryModel(current)
  if (trial !== null && isSameModel(trial, model)) {
    throw refusal(`${describeModel(model)} is the canary, expected a rollback of it first`)
  }
  return { champion, challengers: without(challengers, model), canary }
}

function setCanary(
  current: Roster,
  { version, share }: { readonly version: string; readonly share: number },
): Models {
  const { pipeline, epoch, champion, challengers, canary } = current
  if (!canaryShares.some((allowed) => allowed === share)) {
    const shares = canaryShares.map((allowed) => `${allowed * 100} %`).join(', ')
    throw refusal(`found a share of ${share * 100} %, expected one of ${shares}`)
  }
  refuseStranger(current, { name: champion.name, version })
  if (canary === null) {
    // Of its own for each trial, so that not the same customers bear all of them.
    const salt = `${pipeline}-${epoch + 1}`
    return { champion, challengers, canary: { version, share, salt } }
  }
  if (canary.version !== version) {
    const trial = describeModel({ name: champion.name, version: canary.version })
    throw refusal(`${trial} is the canary, expected its promotion or a rollback of it first`)
  }
  if (canary.share === share) {
    throw refusal(`the canary decides for ${share * 100} % already, expected another share`)
  }
  // The salt stays: a wider canary keeps the customers that it has.
  return { champion, challengers, canary: { ...canary, share } }
}

function promote(current: Roster, named: RosterModel | null): Models {
  const trial = canaryModel(current)
  const model = named ?? trial
  if (model === null) throw refusal('found no canary, expected the version of a challenger')
  refuseStranger(current, model)
  if (trial !== null && !isSameModel(trial, model)) {
    throw refusal(`${describeModel(trial)} is the canary, expected a rollback of it first`)
  }
  return { champion: model, challengers: without(current.challengers, model), canary: null }
}

function rollBack(current: Roster, steps: readonly RosterStep[], drops: boolean): Models {
  const trial = canaryModel(current)
  if (trial !== null) {
    const { champion, challengers } = current
    return {
      champion,
      challengers: drops ? without(challengers, trial) : challengers,
      canary: null,
    }
  }
  const before = findStanding(steps).at(-1)
  if (before === undefined) {
    throw refusal('found no promotion that is not rolled back, expected one in the audit topic')
  }
  // A canary of then was on its way to the promotion that is undone here: it ends as well.
  const { champion, challengers } = before
  const kept = drops ? without(challengers, current.champion) : challengers
  return { champion, challengers: kept, canary: null }
}

/**
 * The rosters before each promotion that stands, oldest first: a rollback undoes the last of them.
 */
function findStanding(steps: readonly RosterStep[]): readonly Roster[] {
  const standing: Roster[] = []
  for (const { action, before, after } of steps) {
    if (isSameModel(before.champion, after.champion)) continue
    if (action === 'rollback') standing.pop()
    else standing.push(before)
  }
  return standing
}

export function canaryModel({
  champion,
  canary,
}: Pick<Roster, 'champion' | 'canary'>): RosterModel | null {
  return canary === null ? null : { name: champion.name, version: canary.version }
}

const holds = (models: readonly RosterModel[], model: RosterModel): boolean =>
  models.some((other) => isSameModel(other, model))

const without = (models: readonly RosterModel[], model: RosterModel): readonly RosterModel[] =>
  models.filter((other) => !isSameModel(other, model))

function refuseStranger({ challengers }: Roster, model: RosterModel): void {
  if (holds(challengers, model)) return
  const found = challengers.length === 0 ? 'none' : challengers.map(describeModel).join(', ')
  throw refusal(`${describeModel(model)} is no challenger (found ${found}), expected one`)
}

/** As in the pipeline file: names are folders. An alias may mean another model tomorrow. */
const PLAIN_NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/

function refuseName({ name, version }: RosterModel): void {
  for (const text of [name, version]) {
    if (PLAIN_NAME.test(text)) continue
    const expected = 'expected up to 64 letters, digits, dots, dashes and underscores, and no alias'
    throw refusal(`found the model ${JSON.stringify(name)} ${JSON.stringify(version)}, ${expected}`)
  }
}

const LETTERS_MAX = 500

function refuseAuthor({ who, why }: RosterAuthor): void {
  for (const [flag, text] of Object.entries({ who, why })) {
    const isLine = text.trim() !== '' && text.length <= LETTERS_MAX && !/\p{Cc}/u.test(text)
    if (isLine) continue
    throw refusal(
      `found --${flag} ${JSON.stringify(text)}, expected a line of up to ${LETTERS_MAX}`,
    )
  }
}

const refusal = (detail: string): WeirError => new WeirError('WEIR_ROSTER_REFUSED', `${detail}.`)
