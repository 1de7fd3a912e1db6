// First and greatest timestamp of a batch, as stock kafkajs writes them into its header.
//
// In: messages, and the time that those without a timestamp get. Out: the two header fields.
// Invariant: equal to the stock code, which sorts the timestamps as text; for the usual kinds (all
// 13-digit numbers, which are the years 2001 to 2286, or all text) one linear pass gives the same.

import type { OutgoingMessage } from './stock-modules.ts'

type TimestampRange = { readonly first: unknown; readonly max: unknown }

const isPlainMillis = (timestamp: unknown): timestamp is number =>
  typeof timestamp === 'number' &&
  timestamp >= 1e12 &&
  timestamp < 1e13 &&
  Number.isInteger(timestamp)

export function timestampRange(
  messages: readonly OutgoingMessage[],
  nowMs: number,
): TimestampRange {
  const timestamps: unknown[] = []
  for (const { timestamp } of messages) if (timestamp != null) timestamps.push(timestamp)
  if (timestamps.length === 0) return { first: nowMs, max: nowMs }
  if (timestamps.every(isPlainMillis)) return extremes(timestamps)
  if (timestamps.every((timestamp) => typeof timestamp === 'string')) return extremes(timestamps)
  timestamps.sort()
  return { first: timestamps[0], max: timestamps[timestamps.length - 1] }
}

function extremes<Value extends number | string>(values: readonly Value[]): TimestampRange {
  let first = values[0]!
  let max = first
  for (const value of values) {
    if (value < first) first = value
    else if (value > max) max = value
  }
  return { first, max }
}
