// The classifier port over a roster that changes: calls in, replies of exactly one crew out.
//
//   apply(roster) ─► fresh workers in the background (golden rows scored) ─► swap between two calls
//
// The crew before stays warm until the next swap, so a rollback to it loads nothing. Refused, with a
// happening, while the crew in force goes on: a roster whose models do not load, a roster with a canary.
// Ignored: a roster that is not newer than one seen before. Invariants: epochs of replies never fall,
// in the order of the calls; at most three crews live: in force, before, next.

import type { OnnxClassifier } from '../adapters/onnx/onnx-classifier.ts'
import { WeirError } from '../core/errors.ts'
import type { Roster, RosterModel } from '../core/roster.ts'
import type { ClassifyReply, ClassifyRequest } from '../pipeline/classify/classifier.ts'
import type { Observe } from '../pipeline/observe/happenings.ts'
import { Crew } from './crew.ts'

export type RosterModels = Pick<Roster, 'champion' | 'challengers'>

export type RosterClassifierOptions = {
  /** The models of the pipeline file: epoch 0. */
  readonly first: RosterModels
  readonly open: (models: RosterModels, observe: Observe) => Promise<OnnxClassifier>
  readonly observe: Observe
}

export async function openRosterClassifier(
  options: RosterClassifierOptions,
): Promise<RosterClassifier> {
  const { first, open, observe } = options
  const crew = await Crew.open(keyOf(first), (hear) => open(first, hear), observe)
  crew.takeOver()
  return new RosterClassifier(options, crew)
}

export class RosterClassifier implements OnnxClassifier {
  readonly #options: RosterClassifierOptions
  #inForce: Crew
  #before: Crew | null = null
  #epoch = 0
  #newest = 0
  #waiting: Roster | null = null
  #loading: Promise<void> | null = null
  #leaving: Promise<void> = Promise.resolve()
  #isClosed = false

  constructor(options: RosterClassifierOptions, first: Crew) {
    this.#options = options
    this.#inForce = first
  }

  get models(): OnnxClassifier['models'] {
    return this.#inForce.models
  }

  async classify(request: ClassifyRequest): Promise<ClassifyReply> {
    const controlEpoch = this.#epoch
    return { ...(await this.#inForce.classify(request)), controlEpoch }
  }

  /** Resolves when this roster or a newer one is in force or refused; never rejects. */
  async apply(roster: Roster): Promise<void> {
    if (this.#isClosed || roster.epoch <= this.#newest) return
    this.#newest = roster.epoch
    this.#waiting = null
    if (roster.canary === null && this.#takeWarm(roster)) return
    this.#waiting = roster
    this.#loading ??= this.#loadWaiting().finally(() => {
      this.#loading = null
    })
    await this.#loading
  }

  async close(): Promise<void> {
    this.#isClosed = true
    this.#waiting = null
    await this.#loading
    await Promise.all([this.#inForce.close(), this.#before?.close(), this.#leaving])
  }

  #takeWarm(roster: Roster): boolean {
    const key = keyOf(roster)
    const warm = [this.#inForce, this.#before].find((crew) => crew?.key === key)
    if (warm === undefined || warm === null) return false
    if (warm !== this.#inForce) this.#before = this.#replaceBy(warm)
    this.#report(roster)
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
    const { open, observe } = this.#options
    if (roster.canary !== null) {
      this.#refuse(roster, new Error('a canary; this scorer decides by the champion alone'))
      return
    }
    let crew: Crew
    try {
      crew = await Crew.open(keyOf(roster), (hear) => open(roster, hear), observe)
    } catch (error) {
      this.#refuse(roster, error as Error)
      return
    }
    if (this.#isClosed || roster.epoch < this.#epoch) {
      await crew.close()
      return
    }
    const leaving = this.#before
    this.#before = this.#replaceBy(crew)
    // A worker that does not end cleanly costs memory, never the scoring.
    if (leaving !== null) this.#leaving = leaving.close().catch(() => undefined)
    this.#report(roster)
  }

  #replaceBy(crew: Crew): Crew {
    const old = this.#inForce
    old.stepBack()
    this.#inForce = crew
    crew.takeOver()
    return old
  }

  #report({ epoch, champion, who, why }: Roster): void {
    this.#epoch = epoch
    this.#options.observe({ kind: 'roster_applied', epoch, ...champion, who, why })
  }

  #refuse({ epoch }: Roster, error: Error): void {
    const code = error instanceof WeirError ? error.code : 'WEIR_CLASSIFY_MODEL_REFUSED'
    this.#options.observe({ kind: 'roster_refused', epoch, code, detail: error.message })
  }
}

const keyOf = ({ champion, challengers }: RosterModels): string =>
  JSON.stringify(
    [champion, ...challengers].map(({ name, version }: RosterModel) => [name, version]),
  )
