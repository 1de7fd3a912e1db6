// How well scores rank frauds before the rest: ROC AUC, average precision, and what a share of
// false alarms buys, exactly.
//
// In: scores with verdicts, one by one. Out: the measures over all of them, null where one of the
// two classes is missing. Refused: nothing. Ties count as ties: half a win for ROC AUC, one step
// for average precision, as in scikit-learn. Memory is 4 bytes per score, the only thing in a
// replay that grows with history: the bits of a float32 in [0, 1] leave room for the verdict.

import { createColumn } from './growing-column.ts'

export type RankingMeasures = {
  readonly events: number
  readonly frauds: number
  readonly rocAuc: number | null
  readonly averagePrecision: number | null
}

export type Ranking = {
  readonly add: (score: number, isFraud: boolean) => void
  readonly scoreAt: (event: number) => number
  readonly isFraudAt: (event: number) => boolean
  readonly measure: () => RankingMeasures
  /** One point per largest share of genuine events that may be flagged, in the order given. */
  readonly atFalsePositiveRates: (rates: readonly number[]) => readonly OperatingPoint[]
}

/** The lowest threshold that flags no larger share of the genuine events than allowed. */
export type OperatingPoint = {
  readonly falsePositiveRateMax: number
  /** Null where even the highest score flags too many, or a class is missing. */
  readonly threshold: number | null
  readonly falsePositiveRate: number | null
  readonly alerts: number | null
  readonly precision: number | null
  readonly recall: number | null
}

export function createRanking(): Ranking {
  const packed = createColumn()
  const float = new Float32Array(1)
  const bits = new Uint32Array(float.buffer)
  return {
    add: (score, isFraud) => {
      // Bits of floats from 0 on rise with the floats; -0 is made 0 first.
      float[0] = score + 0
      packed.push(((bits[0]! << 1) | (isFraud ? 1 : 0)) >>> 0)
    },
    scoreAt: (event) => {
      bits[0] = packed.at(event) >>> 1
      return float[0]!
    },
    isFraudAt: (event) => (packed.at(event) & 1) === 1,
    measure: () => measure(packed.view().slice().sort()),
    atFalsePositiveRates: (rates) => {
      const sorted = packed.view().slice().sort()
      return rates.map((rate) => findOperatingPoint(sorted, rate))
    },
  }
}

/** @param sorted score bits and verdicts, rising. */
function measure(sorted: Uint32Array): RankingMeasures {
  let frauds = 0
  for (const entry of sorted) frauds += entry & 1
  const genuine = sorted.length - frauds
  const known = { events: sorted.length, frauds }
  if (frauds === 0 || genuine === 0) return { ...known, rocAuc: null, averagePrecision: null }
  let fraudsAbove = 0
  let genuineAbove = 0
  let pairsWon = 0
  let averagePrecision = 0
  for (let i = sorted.length - 1; i >= 0; ) {
    const score = sorted[i]! >>> 1
    let tiedFrauds = 0
    let tied = 0
    for (; i >= 0 && sorted[i]! >>> 1 === score; i--) {
      tied++
      tiedFrauds += sorted[i]! & 1
    }
    const tiedGenuine = tied - tiedFrauds
    pairsWon += tiedGenuine * (fraudsAbove + tiedFrauds / 2)
    fraudsAbove += tiedFrauds
    genuineAbove += tiedGenuine
    averagePrecision += (tiedFrauds / frauds) * (fraudsAbove / (fraudsAbove + genuineAbove))
  }
  return { ...known, rocAuc: pairsWon / (frauds * genuine), averagePrecision }
}

function findOperatingPoint(sorted: Uint32Array, falsePositiveRateMax: number): OperatingPoint {
  let frauds = 0
  for (const entry of sorted) frauds += entry & 1
  const genuine = sorted.length - frauds
  // A share of a count is compared as a count, so that 1 % of 300 allows 3 and not 2.
  const allowed = Math.floor(falsePositiveRateMax * genuine + 1e-9)
  let from = sorted.length
  let falseAlerts = 0
  for (let i = sorted.length - 1, above = 0; i >= 0; i--) {
    above += 1 - (sorted[i]! & 1)
    if (above > allowed) break
    const isEndOfTie = i === 0 || sorted[i - 1]! >>> 1 !== sorted[i]! >>> 1
    if (isEndOfTie) {
      from = i
      falseAlerts = above
    }
  }
  const alerts = sorted.length - from
  if (frauds === 0 || genuine === 0 || alerts === 0) {
    const none = { threshold: null, falsePositiveRate: null, alerts: null }
    return { falsePositiveRateMax, ...none, precision: null, recall: null }
  }
  const caught = alerts - falseAlerts
  return {
    falsePositiveRateMax,
    threshold: toScore(sorted[from]!),
    falsePositiveRate: falseAlerts / genuine,
    alerts,
    precision: caught / alerts,
    recall: caught / frauds,
  }
}

const toScore = (entry: number): number => new Float32Array(Uint32Array.of(entry >>> 1).buffer)[0]!
