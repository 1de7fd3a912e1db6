// Watches the challenger on trial and changes the roster by the rules of the pipeline file.
//
//   model.control ─► trial ─┐                       ┌─► next roster (epoch as judged)
//   scored topic, labels ───┴► evidence ─► verdict ─┴─► minutes ─► model.comparisons
//
// In: ports to ledger, feed and topic of minutes; the rules; a clock. Out: changes of the roster.
// Refused: nothing here; what the ports throw for good ends the service. Invariants: everything is
// in Kafka: a restart reads the trial again from its first roster on and comes to the same counts;
// a change is made only for the epoch that was judged, so two services and an operator never undo
// each other; while history is read again only a plain fact takes a challenger back.

import { setTimeout as wait } from 'node:timers/promises'
import type { Clock } from '../core/clock.ts'
import { WeirError } from '../core/errors.ts'
import type { PipelineDefinition } from '../core/pipeline-definition.ts'
import type { ScoredTransactionRecord } from '../pipeline/publish/output-records.ts'
import type { Label } from '../pipeline/records.ts'
import type { Roster } from '../roster/roster.ts'
import type { RosterAuthor, RosterChange, RosterStep } from '../roster/roster-change.ts'
import { isSameModel } from '../roster/roster-change.ts'
import type { PairedCounts } from '../statistics/paired-counts.ts'
import { type ComparisonRecord, composeComparison } from './comparison-record.ts'
import { EvidenceBook } from './evidence-book.ts'
import { judge, type Verdict } from './judge.ts'
import { changeFor, findTrial, type Trial } from './trial.ts'

type RolloutPorts = {
  readonly definition: Pick<PipelineDefinition, 'pipeline' | 'policy' | 'rollout'>
  readonly readLedger: () => Promise<{
    readonly inForce: Roster
    readonly steps: readonly RosterStep[]
  }>
  /** Throws WEIR_ROSTER_CONFLICT unless this epoch is in force. */
  readonly change: (
    change: RosterChange,
    author: RosterAuthor,
    epoch: number,
  ) => Promise<RosterStep>
  /** Begins to read scored events and labels of this broker time. */
  readonly readFrom: (fromMs: number) => void
  readonly isCaughtUp: () => boolean
  /** All that was scored or told before this moment has been heard. */
  readonly passedMs: () => number
  /** Leaves out the minutes of the trial that are published already. */
  readonly publish: (records: readonly ComparisonRecord[], trial: Trial) => Promise<void>
  readonly clock: Clock
  readonly tell: (line: RolloutLine) => void
  /** After each look; null: nobody is on trial. */
  readonly judged: (judgement: Judgement | null) => void
}

export type Judgement = {
  readonly trial: Trial
  readonly verdict: Verdict
  readonly counts: PairedCounts
}

export type RolloutLine =
  | { readonly what: 'trial'; readonly trial: Trial | null }
  | { readonly what: 'verdict'; readonly trial: Trial; readonly verdict: Verdict }
  | { readonly what: 'changed'; readonly trial: Trial; readonly step: RosterStep }
  | { readonly what: 'overtaken'; readonly trial: Trial; readonly detail: string }

export const rolloutAuthor = 'weir rollout'

const LOOK_MS = 200
const REASON_LETTERS_MAX = 500
/** Clocks of operators and brokers differ: earlier events are told apart by their epoch. */
const CLOCK_SKEW_MS = 60_000

export class Rollout {
  readonly #ports: RolloutPorts
  #trial: Trial | null = null
  #book: EvidenceBook | null = null
  #steps: readonly RosterStep[] = []
  #epoch = -1
  /** The newest roster that was heard of: the ledger is read again unless it is the one judged. */
  #heardEpoch = 0
  #lastVerdict = ''

  constructor(ports: RolloutPorts) {
    this.#ports = ports
  }

  hearRoster({ epoch }: Pick<Roster, 'epoch'>): void {
    this.#heardEpoch = Math.max(this.#heardEpoch, epoch)
  }

  hearScored(event: ScoredTransactionRecord): void {
    this.#book?.meet(event)
  }

  hearLabel(label: Label, brokerTimeMs: number): void {
    this.#book?.meetLabel(label, brokerTimeMs)
  }

  /** Until the signal, or until a port fails for good. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.look()
      await wait(LOOK_MS, undefined, { signal }).catch(() => undefined)
    }
  }

  /** Once: a newer roster, a verdict, the minutes that are over. */
  async look(): Promise<void> {
    if (this.#epoch < this.#heardEpoch) {
      const { inForce, steps } = await this.#ports.readLedger()
      this.#take(inForce, steps)
    }
    const { definition, clock } = this.#ports
    const [trial, book] = [this.#trial, this.#book]
    if (trial === null || book === null) {
      this.#ports.judged(null)
      return
    }
    const evidence = book.evidenceAt(clock.nowMs(), this.#ports.isCaughtUp())
    const verdict = judge(definition.rollout, evidence)
    this.#ports.judged({ trial, verdict, counts: evidence.counts })
    await this.#publishMinutes(trial, book, verdict)
    this.#tellVerdict(trial, verdict)
    const change = changeFor(trial, verdict)
    if (change !== null) await this.#make(change, trial, verdict)
  }

  #take(inForce: Roster, steps: readonly RosterStep[]): void {
    this.#epoch = inForce.epoch
    this.#heardEpoch = Math.max(this.#heardEpoch, inForce.epoch)
    this.#steps = steps
    const before = this.#trial
    const trial = findTrial(inForce, steps)
    this.#trial = trial
    if (trial === null) {
      this.#book = null
    } else if (before !== null && this.#book !== null && isSameTrial(before, trial)) {
      if (before.stepEpoch !== trial.stepEpoch) this.#book.beginStep(trial)
    } else {
      const { rollout, policy } = this.#ports.definition
      this.#book = new EvidenceBook(trial, rollout, policy.review)
      this.#ports.readFrom(Math.max(0, trial.sinceMs - CLOCK_SKEW_MS))
    }
    this.#lastVerdict = ''
    this.#ports.tell({ what: 'trial', trial })
  }

  async #make(change: RosterChange, trial: Trial, verdict: Verdict): Promise<void> {
    const { clock, tell } = this.#ports
    const why = `${verdict.action.replace('_', ' ')}: ${verdict.reasons.join('; ')}`
    const author = {
      who: rolloutAuthor,
      why: why.slice(0, REASON_LETTERS_MAX),
      whenMs: clock.nowMs(),
    }
    try {
      const step = await this.#ports.change(change, author, this.#epoch)
      tell({ what: 'changed', trial, step })
      this.#take(step.after, [...this.#steps, step])
    } catch (error) {
      if (!(error instanceof WeirError) || !overtaking.includes(error.code)) throw error
      tell({ what: 'overtaken', trial, detail: error.message })
      // Whoever was faster: look at what is in force now.
      const { inForce, steps } = await this.#ports.readLedger()
      this.#take(inForce, steps)
    }
  }

  async #publishMinutes(trial: Trial, book: EvidenceBook, verdict: Verdict): Promise<void> {
    const { definition, passedMs, publish } = this.#ports
    const minutes = book.takeMinutes(passedMs())
    if (minutes.length === 0) return
    await publish(
      minutes.map((minute) => composeComparison(definition.pipeline, trial, minute, verdict)),
      trial,
    )
  }

  #tellVerdict(trial: Trial, verdict: Verdict): void {
    if (verdict.action === this.#lastVerdict) return
    this.#lastVerdict = verdict.action
    this.#ports.tell({ what: 'verdict', trial, verdict })
  }
}

const overtaking: readonly string[] = [
  'WEIR_ROSTER_CONFLICT',
  'WEIR_ROSTER_REFUSED',
  'WEIR_ROSTER_IN_DOUBT',
]

const isSameTrial = (a: Trial, b: Trial): boolean =>
  isSameModel(a.champion, b.champion) &&
  isSameModel(a.challenger, b.challenger) &&
  a.sinceEpoch === b.sinceEpoch
