// Card precision@k: of the k most suspicious cards of a day, how many were abused on that day?
//
// In: scored events in any order, with their customers as numbers. Out: the share per day and its
// mean, as the Fraud Detection Handbook computes it: a card counts by its highest score of the day
// and as abused by any fraud of the day; a card that was found among the k of one day is left out
// from the next day on; the share is always of k, even on a day with fewer cards. Of equal scores
// the smaller customer id goes first. Weighed, a customer of weight w is w cards that do the same.
// Nothing is refused. Memory: 5 bytes per card and day.

const cardsPerDay = 100

type CardEvents = {
  readonly count: number
  readonly dayAt: (event: number) => number
  /** Index into customerIds. */
  readonly customerAt: (event: number) => number
  readonly scoreAt: (event: number) => number
  readonly isFraudAt: (event: number) => boolean
  readonly customerIds: readonly string[]
}

type DayPrecision = { readonly day: number; readonly precision: number }

export type CardPrecision = {
  /** @param weights how many cards each customer is; one where they are left out. */
  readonly measure: (weights?: Uint32Array) => {
    readonly mean: number | null
    readonly days: readonly DayPrecision[]
  }
}

/** Cards of a day, the most suspicious first. */
type Day = { readonly day: number; readonly customers: Uint32Array; readonly isFraud: Uint8Array }

export function rankCards(events: CardEvents, k = cardsPerDay): CardPrecision {
  const days = [...groupByDay(events)]
    .sort(([a], [b]) => a - b)
    .map(([day, indexes]) => rankDay(day, indexes, events))
  const once = new Uint32Array(events.customerIds.length).fill(1)
  return {
    measure: (weights = once) => {
      const measured = walk(days, k, weights)
      const sum = measured.reduce((total, { precision }) => total + precision, 0)
      return { mean: days.length === 0 ? null : sum / days.length, days: measured }
    },
  }
}

function groupByDay({ count, dayAt }: CardEvents): Map<number, number[]> {
  const groups = new Map<number, number[]>()
  for (let i = 0; i < count; i++) {
    const group = groups.get(dayAt(i))
    if (group === undefined) groups.set(dayAt(i), [i])
    else group.push(i)
  }
  return groups
}

function rankDay(day: number, indexes: readonly number[], events: CardEvents): Day {
  const { customerAt, scoreAt, isFraudAt, customerIds } = events
  const cards = new Map<number, { customer: number; score: number; isFraud: boolean }>()
  for (const i of indexes) {
    const customer = customerAt(i)
    const card = cards.get(customer)
    if (card === undefined) {
      cards.set(customer, { customer, score: scoreAt(i), isFraud: isFraudAt(i) })
      continue
    }
    card.score = Math.max(card.score, scoreAt(i))
    if (isFraudAt(i)) card.isFraud = true
  }
  const ranked = [...cards.values()].sort(
    (a, b) => b.score - a.score || (customerIds[a.customer]! < customerIds[b.customer]! ? -1 : 1),
  )
  return {
    day,
    customers: Uint32Array.from(ranked, ({ customer }) => customer),
    isFraud: Uint8Array.from(ranked, ({ isFraud }) => (isFraud ? 1 : 0)),
  }
}

function walk(days: readonly Day[], k: number, weights: Uint32Array): DayPrecision[] {
  /** Cards of each customer that nobody has found yet. */
  const left = weights.slice()
  return days.map(({ day, customers, isFraud }) => {
    let free = k
    let hits = 0
    for (let rank = 0; rank < customers.length && free > 0; rank++) {
      const customer = customers[rank]!
      const taken = Math.min(free, left[customer]!)
      free -= taken
      if (isFraud[rank] === 0) continue
      hits += taken
      left[customer]! -= taken
    }
    return { day, precision: hits / k }
  })
}
