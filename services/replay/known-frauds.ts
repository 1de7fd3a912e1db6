// Which customers were known to be defrauded, and from when on: for leaving them out of the report.
//
// In: labels of any order, the moment from which frauds count. Out: whether a fraud of a customer
// was known before a moment. The Fraud Detection Handbook judges a model so: whoever is known is no
// longer found. Nothing is refused. Invariant: a fraud is known from its label time on, and only
// those since the moment given count. Memory: one number per customer with a fraud.

import type { KnownFrauds } from '../backtest/backtest.ts'
import type { ReadKey } from '../pipeline/entity-key.ts'
import type { Label } from '../pipeline/records.ts'

export type KnownFraudTable = KnownFrauds & { readonly add: (label: Label) => void }

/** @param subjectOf whom a label is of (pipeline/entity-key.ts). */
export function createKnownFrauds(sinceMs: number, subjectOf: ReadKey): KnownFraudTable {
  const knownFromMs = new Map<string, number>()
  return {
    sinceMs,
    add: (label) => {
      const { isFraud, eventTime, labelTime } = label
      if (!isFraud || eventTime < sinceMs) return
      const subject = subjectOf(label)
      const before = knownFromMs.get(subject) ?? Number.POSITIVE_INFINITY
      if (labelTime < before) knownFromMs.set(subject, labelTime)
    },
    isKnown: (subject, beforeMs) => {
      const fromMs = knownFromMs.get(subject)
      return fromMs !== undefined && fromMs < beforeMs
    },
  }
}
