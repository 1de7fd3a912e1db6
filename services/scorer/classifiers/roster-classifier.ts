// The classifier port over a roster that changes: calls in, replies of exactly one crew out.
//
//   apply(roster) ─► fresh workers in the background (golden rows scored) ─► swap between two calls
//
// The crew before stays warm until the next swap: a rollback to it, and every change of the
// canary's share, loads nothing. Refused, with a signal, while the crew in force goes on: a roster
// whose models do not load. Tried again until a newer one comes: a roster whose models cannot be
// had now. Ignored: a roster that is not newer than one seen before. Invariants: epochs of replies
// never fall, in the order of the calls; a canary decides for the same customers at every call; at
// most four crews live: in force, before, next, and one that is leaving.

import { setTimeout as wait } from 'node:timers/promises'
import { WeirError } from '../../core/errors.ts'
import { limits } from '../../core/limits.ts'
import type {
  Classifier,
  ClassifyReply,
  ClassifyRequest,
  FixedClassifier,
} from '../../pipeline/classify/classifier.ts'
import type { Observe } from '../../pipeline/observe/signals.ts'
import { isCanaryCustomer, type Roster, type RosterModel } from '../../roster/roster.ts'
import { canaryModel, isSameModel } from '../../roster/roster-change.ts'
import { Crew } from './crew.ts'

export type RosterModels = Pick<Roster, 'champion' | 'challengers'>

type RosterClassifierOptions = {
  /** In force when the scorer starts. */
  readonly first: Roster
  readonly open: (models: RosterModels, observe: Observe) => Promise<FixedClassifier>
  readonly observe: Observe
  readonly pause?: (ms: number, signal: AbortSignal) => Promise<void>
  readonly loadMsMax?: number
}

/** Throws what the first roster's models are refused for. */
export async function openRosterClassifier(
  options: RosterClassifierOptions,
): Promise<RosterClassifier> {
  const { first } = options
  const crew = await openCrew(options, first)
  crew.takeOver()
  return new RosterClassifier(options, crew)
}

const firstPauseMs = 250

export class RosterClassifier implements Classifier {
  readonly #options: RosterClassifierOptions
  #roster: Roster
  #inForce: Crew
  #before: Crew | null = null
  #newest: number
  #waiting: Roster | null = null
  #loading: Promise<void> | null = null
  #leaving: Promise<void> = Promise.resolve()
  #patience = new AbortController()
  #isClosed = false

  constructor(options: RosterClassifierOptions, crew: Crew) {
    this.#options = options
    this.#roster = options.first
    this.#newest = options.first.epoch
    this.#inForce = crew
    if (options.first.epoch > 0) this.#report(options.first)
  }

  get models(): FixedClassifier['models'] {
    return this.#inForce.models
  }

  async classify({ customerOf, ...request }: ClassifyRequest): Promise<ClassifyReply> {
    const { epoch: controlEpoch } = this.#roster
    const deciders = chooseDeciders(this.#roster, request.count, customerOf)
    const asked = deciders === null ? request : { ...request, deciders }
    return { ...(await this.#inForce.classify(asked)), controlEpoch }
  }

  /** Resolves when this roster or a newer one is in force or refused; never rejects. */
  async apply(roster: Roster): Promise<void> {
    if (this.#isClosed || roster.epoch <= this.#newest) return
    this.#newest = roster.epoch
    this.#waiting = null
    this.#patience.abort()
    if (this.#takeWarm(roster)) return
    this.#waiting = roster
    this.#loading ??= this.#loadWaiting().finally(() => {
      this.#loading = null
    })
    await this.#loading
  }

  async close(): Promise<void> {
    this.#isClosed = true
    this.#waiting = null
    this.#patience.abort()
    await this.#loading
    await Promise.all([this.#inForce.close(), this.#before?.close(), this.#leaving])
  }

  #takeWarm(roster: Roster): boolean {
    const key = keyOf(roster)
    const warm = [this.#inForce, this.#before].find((crew) => crew?.key === key)
    if (warm === undefined || warm === null) return false
    if (warm !== this.#inForce) this.#before = this.#replaceBy(warm)
    this.#putInForce(roster)
    return true
  }

  async #loadWaiting(): Promise<void> {
    while (this.#waiting !== null) {
      const roster = this.#waiting
      this.#waiting = null
      // Workers stay bounded: a crew that left has ended before another one is loaded.
      await this.#leaving
      await this.#load(roster)
    }
  }

  async #load(roster: Roster): Promise<void> {
    const crew = await this.#openPatiently(roster)
    if (crew === null) return
    if (this.#isClosed || roster.epoch < this.#roster.epoch) {
      await crew.close()
      return
    }
    const leaving = this.#before
    this.#before = this.#replaceBy(crew)
    // A worker that does not end cleanly costs memory, never the scoring.
    if (leaving !== null) this.#leaving = leaving.close().catch(() => undefined)
    this.#putInForce(roster)
  }

  /** null: refused, or a newer roster has come meanwhile. */
  async #openPatiently(roster: Roster): Promise<Crew | null> {
    const { observe, pause = pauseFor } = this.#options
    this.#patience = new AbortController()
    const { signal } = this.#patience
    for (let attempt = 1; ; attempt++) {
      try {
        return await openCrew(this.#options, roster)
      } catch (error) {
        if (!(error instanceof WeirError && error.canRetry)) {
          this.#refuse(roster, error as Error)
          return null
        }
        const { code, message: detail } = error
        observe({ kind: 'retried', operation: 'load_roster', attempt, code, detail })
      }
      if (this.#isClosed || this.#newest > roster.epoch) return null
      await pause(Math.min(firstPauseMs * 2 ** (attempt - 1), limits.retryPauseMsMax), signal)
      if (signal.aborted) return null
    }
  }

  #replaceBy(crew: Crew): Crew {
    const old = this.#inForce
    old.stepBack()
    this.#inForce = crew
    crew.takeOver()
    return old
  }

  #putInForce(roster: Roster): void {
    this.#roster = roster
    this.#report(roster)
  }

  #report({ epoch, champion, challengers, who, why }: Roster): void {
    this.#options.observe({ kind: 'roster_applied', epoch, ...champion, challengers, who, why })
  }

  #refuse({ epoch }: Roster, error: Error): void {
    const code = error instanceof WeirError ? error.code : 'WEIR_CLASSIFY_MODEL_REFUSED'
    this.#options.observe({ kind: 'roster_refused', epoch, code, detail: error.message })
  }
}

const openCrew = (
  { open, observe, loadMsMax = limits.modelLoadMsMax }: RosterClassifierOptions,
  roster: Roster,
): Promise<Crew> => {
  const opener = (hear: Observe) => open(roster, hear)
  return Crew.open({ key: keyOf(roster), open: opener, msMax: loadMsMax }, observe)
}

/**
 * By row: the canary where it has the customer, else the champion; null where there is no canary.
 */
function chooseDeciders(
  roster: Roster,
  count: number,
  customerOf: ClassifyRequest['customerOf'],
): Uint8Array | null {
  const { challengers, canary } = roster
  const model = canaryModel(roster)
  if (canary === null || model === null) return null
  const decider = 1 + challengers.findIndex((challenger) => isSameModel(challenger, model))
  const deciders = new Uint8Array(count)
  for (let row = 0; row < count; row++) {
    if (isCanaryCustomer(canary, customerOf(row))) deciders[row] = decider
  }
  return deciders
}

const keyOf = ({ champion, challengers }: RosterModels): string =>
  JSON.stringify(
    [champion, ...challengers].map(({ name, version }: RosterModel) => [name, version]),
  )

const pauseFor = (ms: number, signal: AbortSignal): Promise<void> =>
  wait(ms, undefined, { signal }).catch(() => undefined)
