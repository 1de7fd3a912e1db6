// The evaluation protocol of the Fraud Detection Handbook, slow and plain.
//
// In: transactions with verdicts, those of the test week with scores. Out: the week's transactions
// without the customers that are known as compromised, and their ROC AUC, average precision and
// card precision@100. Nothing is refused. Invariants: a day knows the verdicts of the days up to
// eight before it; equal scores count as one threshold; of equal cards the smaller id goes first.

export type JudgedRow = {
  readonly eventTimeMs: number
  readonly customerId: string
  readonly isFraud: boolean
  /** 0 outside of the test week. */
  readonly score: number
}

type Protocol = {
  readonly trainFromMs: number
  readonly testFromMs: number
  readonly testToMs: number
}

export type Measures = {
  readonly rocAuc: number
  readonly averagePrecision: number
  readonly cardPrecision: number
}

const dayMs = 86_400_000
const labelDelayMs = 7 * dayMs
const dayOf = ({ eventTimeMs }: JudgedRow): number => Math.floor(eventTimeMs / dayMs)

/**
 * Leaves out customers with a fraud between the begin of training and seven days before the day.
 */
export function leaveOutKnown(rows: readonly JudgedRow[], protocol: Protocol): JudgedRow[] {
  const knownFromMs = new Map<string, number>()
  for (const { eventTimeMs, customerId, isFraud } of rows) {
    if (!isFraud || eventTimeMs < protocol.trainFromMs) continue
    // The first day at whose begin the verdict's whole day is seven days past.
    const fromMs = (Math.floor(eventTimeMs / dayMs) + 1) * dayMs + labelDelayMs
    knownFromMs.set(customerId, Math.min(fromMs, knownFromMs.get(customerId) ?? fromMs))
  }
  return takeWeek(rows, protocol).filter((row) => {
    const fromMs = knownFromMs.get(row.customerId) ?? Number.POSITIVE_INFINITY
    return row.eventTimeMs < fromMs
  })
}

export const takeWeek = (rows: readonly JudgedRow[], { testFromMs, testToMs }: Protocol) =>
  rows.filter(({ eventTimeMs }) => eventTimeMs >= testFromMs && eventTimeMs < testToMs)

export function measure(rows: readonly JudgedRow[]): Measures {
  return { ...rank(rows), cardPrecision: cardPrecision(rows) }
}

function rank(rows: readonly JudgedRow[]): Pick<Measures, 'rocAuc' | 'averagePrecision'> {
  const byScore = [...rows].sort((a, b) => b.score - a.score)
  const frauds = byScore.filter(({ isFraud }) => isFraud).length
  const genuine = byScore.length - frauds
  let [found, flagged, area, precision] = [0, 0, 0, 0]
  for (let i = 0; i < byScore.length; ) {
    const { score } = byScore[i]!
    const [foundBefore, genuineBefore] = [found, flagged - found]
    for (; i < byScore.length && byScore[i]!.score === score; i++) {
      flagged++
      if (byScore[i]!.isFraud) found++
    }
    area += (flagged - found - genuineBefore) * ((found + foundBefore) / 2)
    precision += ((found - foundBefore) * found) / flagged
  }
  return { rocAuc: area / (frauds * genuine), averagePrecision: precision / frauds }
}

const cardsPerDay = 100

/** Mean over the days; a card that was rightly found is left out from the next day on. */
function cardPrecision(rows: readonly JudgedRow[]): number {
  const found = new Set<string>()
  const days = [...new Set(rows.map(dayOf))].sort((a, b) => a - b)
  let sum = 0
  for (const day of days) {
    const cards = new Map<string, { score: number; isFraud: boolean }>()
    for (const row of rows) {
      if (dayOf(row) !== day || found.has(row.customerId)) continue
      const card = cards.get(row.customerId) ?? { score: row.score, isFraud: false }
      const score = Math.max(card.score, row.score)
      cards.set(row.customerId, { score, isFraud: card.isFraud || row.isFraud })
    }
    const top = [...cards]
      .sort(([a, one], [b, two]) => two.score - one.score || (a < b ? -1 : 1))
      .slice(0, cardsPerDay)
    const hits = top.filter(([, { isFraud }]) => isFraud)
    for (const [customerId] of hits) found.add(customerId)
    sum += hits.length / cardsPerDay
  }
  return sum / days.length
}
