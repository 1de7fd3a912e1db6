// Which customers were known to be defrauded, and from when on: for leaving them out of the report.
//
// In: labels of any order, the moment from which frauds count. Out: whether a fraud of a customer
// was known before a moment. The Fraud Detection Handbook judges a model so: whoever is known is no
// longer found. Nothing is refused. Invariant: a fraud is known from its label time on, and only
// those since the moment given count. Memory: one number per customer with a fraud.

import type { KnownFrauds } from '../backtest/backtest.ts'
import type { Label } from '../pipeline/records.ts'

export type KnownFraudTable = KnownFrauds & { readonly add: (label: Label) => void }

export function createKnownFrauds(sinceMs: number): KnownFraudTable {
  const knownFromMs = new Map<string, number>()
  return {
    sinceMs,
    add: ({ customerId, isFraud, eventTime, labelTime }) => {
      if (!isFraud || eventTime < sinceMs) return
      const before = knownFromMs.get(customerId) ?? Number.POSITIVE_INFINITY
      if (labelTime < before) knownFromMs.set(customerId, labelTime)
    },
    isKnown: (customerId, beforeMs) => {
      const fromMs = knownFromMs.get(customerId)
      return fromMs !== undefined && fromMs < beforeMs
    },
  }
}
