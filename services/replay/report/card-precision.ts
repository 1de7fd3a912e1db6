// Card precision@k: of the k most suspicious cards of a day, how many were abused on that day?
//
// In: scored events in the order of time. Out: the share per day and its mean, as the Fraud Detection
// Handbook computes it: a card counts by its highest score of the day and as abused by any fraud of the
// day; a card that was found among the k of one day is left out from the next day on; the share
// is always of k, even on a day with fewer cards. Of equal scores the smaller customer id goes first.
// Nothing is refused. Memory: the cards of one day, and those that were found.

export const cardsPerDay = 100

export type DayOfCards = {
  readonly day: number
  readonly cards: number
  readonly precision: number
}

export type CardPrecision = {
  readonly add: (day: number, customerId: string, score: number, isFraud: boolean) => void
  readonly measure: () => { readonly mean: number | null; readonly days: readonly DayOfCards[] }
}

type Card = { readonly customerId: string; score: number; isFraud: boolean }

export function createCardPrecision(k = cardsPerDay): CardPrecision {
  const found = new Set<string>()
  const days: DayOfCards[] = []
  let cards = new Map<string, Card>()
  let today = Number.NaN
  const closeDay = (): void => {
    if (Number.isNaN(today)) return
    const hits = [...cards.values()]
      .sort(bySuspicion)
      .slice(0, k)
      .filter(({ isFraud }) => isFraud)
    for (const { customerId } of hits) found.add(customerId)
    days.push({ day: today, cards: cards.size, precision: hits.length / k })
    cards = new Map()
  }
  return {
    add: (day, customerId, score, isFraud) => {
      if (day !== today) {
        closeDay()
        today = day
      }
      if (found.has(customerId)) return
      const card = cards.get(customerId)
      if (card === undefined) {
        cards.set(customerId, { customerId, score, isFraud })
        return
      }
      if (score > card.score) card.score = score
      if (isFraud) card.isFraud = true
    },
    measure: () => {
      closeDay()
      today = Number.NaN
      const sum = days.reduce((total, { precision }) => total + precision, 0)
      return { mean: days.length === 0 ? null : sum / days.length, days }
    },
  }
}

const bySuspicion = (a: Card, b: Card): number =>
  b.score - a.score || (a.customerId < b.customerId ? -1 : 1)
