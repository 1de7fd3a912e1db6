// What the doctor says: one finding per check and fault, and the form of a table of checks.
//
// In: a table and what was seen of a system. Out: findings. `fatal` = a scorer must not start: it
// would fail, lose events or count wrongly; `warning` = it runs, until something happens; `unknown`
// = it was not looked at, because what tells it was away or said nothing; `ok` = looked at, and
// fine. Invariant: each row says why it matters, and each fault which setting to change; a row
// whose worst is a warning is never fatal, so a scorer need not look at it when it starts.

import { assertInvariant } from '../core/errors.ts'
import type { Needs } from './needs.ts'

/** From best to worst: what nobody has looked at is worse than what is known to be fine. */
export const levels = ['ok', 'unknown', 'warning', 'fatal'] as const
export type Level = (typeof levels)[number]

export const systems = ['kafka', 'redis', 'registry', 'clock', 'model'] as const
type System = (typeof systems)[number]

export type Verdict = {
  readonly level: Level
  readonly found: string
  /** The setting to change, or the command to run; null where all is well. */
  readonly change: string | null
}

export type Finding = Verdict & {
  readonly system: System
  readonly check: string
  readonly why: string
}

export type Check<Sight> = {
  readonly name: string
  readonly why: string
  readonly worst: 'warning' | 'fatal'
  /** Several verdicts where several things are judged; never none. */
  readonly judge: (sight: Sight, needs: Needs) => Verdict | readonly Verdict[]
}

export type Examination<Sight> = {
  readonly system: System
  /**
   * The check that comes before all others: the system lets itself be looked at. Else it is fatal.
   */
  readonly reach: { readonly name: string; readonly why: string; readonly change: string }
  readonly checks: readonly Check<Sight>[]
}

export const ok = (found: string): Verdict => ({ level: 'ok', found, change: null })
export const warning = (found: string, change: string): Verdict => {
  return { level: 'warning', found, change }
}
export const fatal = (found: string, change: string): Verdict => ({ level: 'fatal', found, change })

/** Not looked at is not ok. @param change what makes it possible to look. */
export const unknown = (found: string, change: string): Verdict => {
  return { level: 'unknown', found: `not looked at: ${found}`, change }
}

/** The faults, or the one sentence that there is none. */
export const orOk = (faults: readonly Verdict[], found: string): readonly Verdict[] =>
  faults.length > 0 ? faults : [ok(found)]

/** What the user who asks may not see is no fault of the system, and not proved either. */
export const unseen = (what: string, permission: string): Verdict =>
  warning(`${what} could not be seen`, `permit ${permission} to the user who runs the doctor`)

/** Why the rows of a system were not looked at, where its first one failed. */
const silences: Readonly<Record<System, string>> = {
  kafka: 'did not answer',
  redis: 'did not answer',
  registry: 'did not answer',
  clock: 'could not be asked',
  model: 'did not load',
}

export async function examine<Sight>(
  examination: Examination<Sight>,
  look: () => Promise<Sight>,
  needs: Needs,
): Promise<readonly Finding[]> {
  const { system, reach } = examination
  const reached = { system, check: reach.name, why: reach.why }
  let sight: Sight
  try {
    sight = await look()
  } catch (error) {
    const found = error instanceof Error ? error.message : String(error)
    const unseen = unknown(`${system} ${silences[system]}`, reach.change)
    return [
      { ...reached, ...fatal(found, reach.change) },
      ...examination.checks.map(({ name, why }) => ({ system, check: name, why, ...unseen })),
    ]
  }
  return [{ ...reached, ...ok('yes') }, ...judgeSight(examination, sight, needs)]
}

export const judgeSight = <Sight>(
  { system, checks }: Examination<Sight>,
  sight: Sight,
  needs: Needs,
): readonly Finding[] => checks.flatMap((check) => judgeRow(system, check, sight, needs))

function judgeRow<Sight>(
  system: System,
  { name: check, why, worst, judge }: Check<Sight>,
  sight: Sight,
  needs: Needs,
): Finding[] {
  const verdicts = [judge(sight, needs)].flat()
  const isSound = verdicts.every(({ level }) => worst === 'fatal' || level !== 'fatal')
  assertInvariant(isSound && verdicts.length > 0, `check ${check} of ${system} judged otherwise`)
  return verdicts.map((verdict) => ({ system, check, why, ...verdict }))
}
