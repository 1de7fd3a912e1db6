// The fifteen features of the Fraud Detection Handbook, slowly and plainly.
//
// In: rows in the order (event time, transaction id). Out: per row a value by feature name. Windows
// are open on the left and closed on the right. A customer's hold the row itself and no later one;
// a terminal's end seven days ago, when each label in them is known.

import { type HandbookRow, labelDelayMs } from './handbook-files.ts'

const dayMs = 86_400_000
const windowDays = [1, 7, 30] as const

export type FifteenFeatures = Readonly<Record<string, number>>

export function naiveFeatures(rows: readonly HandbookRow[]): readonly FifteenFeatures[] {
  return rows.map((row, index) => {
    const { eventTimeMs, amountMinor } = row
    const time = new Date(eventTimeMs)
    const features: Record<string, number> = {
      amount: amountMinor / 100,
      is_weekend: time.getUTCDay() === 0 || time.getUTCDay() === 6 ? 1 : 0,
      is_night: time.getUTCHours() <= 6 ? 1 : 0,
    }
    const upToHere = rows.slice(0, index + 1)
    const ofCustomer = upToHere.filter(({ customerId }) => customerId === row.customerId)
    const ofTerminal = rows.filter(({ terminalId }) => terminalId === row.terminalId)
    for (const days of windowDays) {
      const within = (other: HandbookRow, endMs: number) =>
        other.eventTimeMs > endMs - days * dayMs && other.eventTimeMs <= endMs
      const spent = ofCustomer.filter((other) => within(other, eventTimeMs))
      const known = ofTerminal.filter((other) => within(other, eventTimeMs - labelDelayMs))
      const sumMinor = spent.reduce((sum, other) => sum + other.amountMinor, 0)
      const frauds = known.filter(({ isFraud }) => isFraud).length
      features[`customer_count_${days}d`] = spent.length
      features[`customer_amount_mean_${days}d`] = sumMinor / spent.length / 100
      features[`terminal_count_${days}d`] = known.length
      features[`terminal_risk_${days}d`] = known.length === 0 ? 0 : frauds / known.length
    }
    return features
  })
}
