// Scored events and labels in, evidence on the challenger out: since its trial began, and minute by minute.
//
// In: records of the scored topic in the order of their partitions, labels in any order. Out: counts. Ignored: events
// that were scored before the trial. Refused: nothing. Invariants: an event counts once, a run of a batch once,
// whatever partitions its events are in; memory holds the flips that a label may still come for, at most flipsMax of
// them, the oldest forgotten first, and the minutes that are not over.

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
/** Events of a minute may still be on their way for so long after it. */
const GRACE_MS = 5000
const flipsMax = 100_000

type Flip = 'champion' | 'challenger'

export class EvidenceBook {
  #trial: Trial
  readonly #rules: RolloutRules
  readonly #reviewFrom: number
  readonly #total = createPairedCounts()
  readonly #minutes = new Map<number, PairedCounts>()
  readonly #flips = new Map<string, Flip>()
  /** Runs that were met in the last minutes, so that one is not counted for each of its events. */
  #runs = new Set<string>()
  #runsBefore = new Set<string>()
  #stepEvents = 0
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
    this.#stepEvents = 0
  }

  meet(event: ScoredTransactionRecord): void {
    const { sinceEpoch, stepEpoch } = this.#trial
    const { controlEpoch, scoredTime } = event
    if (controlEpoch < sinceEpoch) {
      this.#lastWithoutMs = Math.max(this.#lastWithoutMs, scoredTime)
      return
    }
    const pair = pairOf(event, this.#trial)
    if (pair === null) return
    this.#lastMs = Math.max(this.#lastMs, scoredTime)
    if (controlEpoch >= stepEpoch) this.#stepEvents++
    const { champion, challenger } = pair
    const scores = {
      championScore: champion.score,
      challengerScore: challenger?.score ?? null,
    }
    const minute = this.#minuteOf(scoredTime)
    for (const counts of [this.#total, minute]) countEvent(counts, scores, this.#reviewFrom)
    if (challenger === null) return
    this.#meetRun({ championMs: champion.modelMs, challengerMs: challenger.modelMs }, minute)
    const byChampion = champion.score >= this.#reviewFrom
    if (byChampion !== challenger.score >= this.#reviewFrom) {
      this.#keepFlip(event.transactionId, byChampion ? 'champion' : 'challenger')
    }
  }

  meetLabel({ transactionId, isFraud, labelTime }: Label): void {
    const flaggedBy = this.#flips.get(transactionId)
    if (flaggedBy === undefined || !isFraud) return
    // Once: a label may be repeated.
    this.#flips.delete(transactionId)
    const minute = this.#minutes.get(startOf(labelTime))
    countFraud(this.#total, flaggedBy)
    if (minute !== undefined) countFraud(minute, flaggedBy)
  }

  evidenceAt(nowMs: number): Evidence {
    const { share, stepMs } = this.#trial
    const heardMs = Math.max(this.#lastMs, stepMs)
    // In the shadow a quiet night is no fault; scorers that pass the roster over are.
    const silentMs = share > 0 ? nowMs - heardMs : this.#lastWithoutMs - heardMs
    return {
      counts: this.#total,
      step: { events: this.#stepEvents, ageMs: nowMs - stepMs },
      silentMs: Math.max(0, silentMs),
    }
  }

  /** Minutes that are over, oldest first; each is given once. */
  takeMinutes(nowMs: number): readonly Minute[] {
    const over = [...this.#minutes.keys()].filter(
      (startMs) => startMs + MINUTE_MS + GRACE_MS <= nowMs,
    )
    return over
      .sort((a, b) => a - b)
      .map((startMs) => {
        const counts = this.#minutes.get(startMs)!
        this.#minutes.delete(startMs)
        return { startMs, counts }
      })
  }

  #minuteOf(timeMs: number): PairedCounts {
    const startMs = startOf(timeMs)
    let counts = this.#minutes.get(startMs)
    if (counts === undefined) {
      counts = createPairedCounts()
      this.#minutes.set(startMs, counts)
      this.#runsBefore = this.#runs
      this.#runs = new Set()
    }
    return counts
  }

  /** A run is known by its two times: events of one run carry the same ones. */
  #meetRun(run: { championMs: number; challengerMs: number }, minute: PairedCounts): void {
    const { championMs, challengerMs } = run
    if (championMs === 0 || challengerMs === 0) return
    const name = `${championMs} ${challengerMs}`
    if (this.#runs.has(name) || this.#runsBefore.has(name)) return
    this.#runs.add(name)
    for (const counts of [this.#total, minute]) {
      countRun(counts, run, this.#rules.latencyRatioMax)
    }
  }

  #keepFlip(transactionId: string, flaggedBy: Flip): void {
    this.#flips.set(transactionId, flaggedBy)
    if (this.#flips.size <= flipsMax) return
    const [oldest] = this.#flips.keys()
    this.#flips.delete(oldest!)
  }
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
