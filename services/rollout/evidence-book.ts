// Scored events and labels in, evidence on the challenger out: in all, and minute by minute.
//
// In: scored events, labels, and the moment that all partitions have passed. Out: counts. Ignored:
// events from before the trial. Refused: nothing. Invariants: the order in which partitions come
// leaves no trace, so a restart that reads the trial again comes to the same counts: an event is
// counted once, a run once in each minute in which its events were scored, a label whether it comes
// before its event or after it; a minute is given once, when all partitions have passed it. Memory
// holds open minutes, flips without a label and frauds without a flip, flipsMax of each.

import type { RolloutRules } from '../core/rollout-rules.ts'
import type { ScoredTransactionRecord } from '../pipeline/publish/output-records.ts'
import type { Label } from '../pipeline/records.ts'
import type { RosterModel } from '../roster/roster.ts'
import {
  countEvent,
  countFraud,
  countRun,
  createPairedCounts,
  type PairedCounts,
} from '../statistics/paired-counts.ts'
import type { Evidence } from './judge.ts'
import type { Trial } from './trial.ts'

export type Minute = { readonly startMs: number; readonly counts: PairedCounts }

const MINUTE_MS = 60_000
const flipsMax = 100_000

type Flip = { readonly flaggedBy: 'champion' | 'challenger'; readonly atMs: number }

/** Runs are kept with their minute, so that one is not counted for each of its events. */
type OpenMinute = { readonly counts: PairedCounts; readonly runs: Set<string> }

export class EvidenceBook {
  #trial: Trial
  readonly #rules: RolloutRules
  readonly #reviewFrom: number
  readonly #total = createPairedCounts()
  readonly #minutes = new Map<number, OpenMinute>()
  /** Minutes before it were given. */
  #givenUntilMs = Number.NEGATIVE_INFINITY
  readonly #flips = new Map<string, Flip>()
  /** Frauds whose event was not met yet, with the broker time of their label. */
  readonly #frauds = new Map<string, number>()
  /** Events by the epoch of the roster that scored them: a step is an epoch and all after it. */
  readonly #eventsByEpoch = new Map<number, number>()
  #lastMs = 0
  /** Last event that was scored without the challenger although it is in the roster. */
  #lastWithoutMs = 0

  constructor(trial: Trial, rules: RolloutRules, reviewFrom: number) {
    this.#trial = trial
    this.#rules = rules
    this.#reviewFrom = reviewFrom
  }

  /** Another share of the same trial: the evidence stays, the step begins. */
  beginStep(trial: Trial): void {
    this.#trial = trial
  }

  meet(event: ScoredTransactionRecord): void {
    const { controlEpoch, scoredTime } = event
    if (controlEpoch < this.#trial.sinceEpoch) {
      this.#lastWithoutMs = Math.max(this.#lastWithoutMs, scoredTime)
      return
    }
    const pair = pairOf(event, this.#trial)
    if (pair === null) return
    this.#lastMs = Math.max(this.#lastMs, scoredTime)
    this.#eventsByEpoch.set(controlEpoch, (this.#eventsByEpoch.get(controlEpoch) ?? 0) + 1)
    const { champion, challenger } = pair
    const minute = this.#minuteOf(scoredTime)
    const scores = {
      championScore: champion.score,
      challengerScore: challenger?.score ?? null,
    }
    for (const counts of this.#booksOf(minute)) countEvent(counts, scores, this.#reviewFrom)
    if (challenger === null) return
    if (minute !== null) this.#meetRun(minute, champion.modelMs, challenger.modelMs)
    const byChampion = champion.score >= this.#reviewFrom
    if (byChampion !== challenger.score >= this.#reviewFrom) {
      const flip: Flip = { flaggedBy: byChampion ? 'champion' : 'challenger', atMs: scoredTime }
      this.#meetFlip(event.transactionId, flip)
    }
  }

  /** @param brokerTimeMs of the label's record: when it was told, whatever it tells of. */
  meetLabel({ transactionId, isFraud }: Label, brokerTimeMs: number): void {
    if (!isFraud) return
    const flip = this.#flips.get(transactionId)
    if (flip !== undefined) {
      // Once: a label may be repeated.
      this.#flips.delete(transactionId)
      this.#countFraud(flip, brokerTimeMs)
    } else if (!this.#frauds.has(transactionId)) {
      keepNewest(this.#frauds, transactionId, brokerTimeMs)
    }
  }

  /** @param isWhole whether all that was written when the reading began has been met. */
  evidenceAt(nowMs: number, isWhole = true): Evidence {
    const { share, stepMs, stepEpoch } = this.#trial
    const heardMs = Math.max(this.#lastMs, stepMs)
    // In the shadow a quiet night is no fault; scorers that pass the roster over are.
    const silentMs = share > 0 ? nowMs - heardMs : this.#lastWithoutMs - heardMs
    let events = 0
    for (const [epoch, count] of this.#eventsByEpoch) if (epoch >= stepEpoch) events += count
    return {
      counts: this.#total,
      step: { events, ageMs: nowMs - stepMs },
      silentMs: Math.max(0, silentMs),
      isWhole,
    }
  }

  /**
   * Minutes that are over, oldest first; each is given once.
   * @param passedMs all that was scored or told before has been met.
   */
  takeMinutes(passedMs: number): readonly Minute[] {
    const untilMs = Math.max(this.#givenUntilMs, startOf(passedMs))
    this.#givenUntilMs = untilMs
    const over = [...this.#minutes.keys()].filter((startMs) => startMs < untilMs)
    return over
      .sort((a, b) => a - b)
      .map((startMs) => {
        const { counts } = this.#minutes.get(startMs)!
        this.#minutes.delete(startMs)
        return { startMs, counts }
      })
  }

  /** null where the minute was given already. */
  #minuteOf(timeMs: number): OpenMinute | null {
    const startMs = startOf(timeMs)
    if (startMs < this.#givenUntilMs) return null
    let minute = this.#minutes.get(startMs)
    if (minute === undefined) {
      minute = { counts: createPairedCounts(), runs: new Set() }
      this.#minutes.set(startMs, minute)
    }
    return minute
  }

  #booksOf(minute: OpenMinute | null): readonly PairedCounts[] {
    return minute === null ? [this.#total] : [this.#total, minute.counts]
  }

  /** A run is known by its two times: events of one run carry the same ones. */
  #meetRun(minute: OpenMinute, championMs: number, challengerMs: number): void {
    if (championMs === 0 || challengerMs === 0) return
    const name = `${championMs} ${challengerMs}`
    if (minute.runs.has(name)) return
    minute.runs.add(name)
    for (const counts of this.#booksOf(minute)) {
      countRun(counts, { championMs, challengerMs }, this.#rules.latencyRatioMax)
    }
  }

  #meetFlip(transactionId: string, flip: Flip): void {
    const toldMs = this.#frauds.get(transactionId)
    if (toldMs === undefined) {
      keepNewest(this.#flips, transactionId, flip)
    } else {
      this.#frauds.delete(transactionId)
      this.#countFraud(flip, toldMs)
    }
  }

  /** In the minute in which both were known, whichever is read first. */
  #countFraud({ flaggedBy, atMs }: Flip, toldMs: number): void {
    const minute = this.#minuteOf(Math.max(atMs, toldMs))
    for (const counts of this.#booksOf(minute)) countFraud(counts, flaggedBy)
  }
}

function keepNewest<T>(kept: Map<string, T>, id: string, value: T): void {
  kept.set(id, value)
  if (kept.size <= flipsMax) return
  const [oldest] = kept.keys()
  kept.delete(oldest!)
}

type ModelScore = { readonly score: number; readonly modelMs: number }

/** null where the champion of the trial did not score it: another trial's event. */
function pairOf(
  event: ScoredTransactionRecord,
  { champion, challenger }: Trial,
): { readonly champion: ModelScore; readonly challenger: ModelScore | null } | null {
  const byChampion = scoreBy(event, champion)
  return byChampion && { champion: byChampion, challenger: scoreBy(event, challenger) }
}

function scoreBy(
  { modelName, modelVersion, score, modelMs, challengers }: ScoredTransactionRecord,
  { name, version }: RosterModel,
): ModelScore | null {
  if (modelName === name && modelVersion === version) return { score, modelMs }
  return challengers.find((one) => one.name === name && one.version === version) ?? null
}

const startOf = (timeMs: number): number => Math.floor(timeMs / MINUTE_MS) * MINUTE_MS
