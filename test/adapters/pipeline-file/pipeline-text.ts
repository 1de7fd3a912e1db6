// A small sound pipeline file for the loader's tests, and the shipped ones by path.
//
// Out: text that tests change by replacing a part of it; the replacement must be there to be made.

import { fileURLToPath } from 'node:url'

export const soundText = `pipeline: small
topics: { transactions: tx, labels: tx.labels }
entities:
  customer: { key: [customerId] }
  pair: { key: [customerId, terminalId] }
features:
  - { name: amount, field: amountMinor, scale: 0.01 }
  - { name: is_online, field: channel, in: [online, app] }
  - { name: is_night, calendar: { hours: [22, 5] } }
  - { name: "count_{window}", entity: customer, op: count, windows: [1m, 30d] }
  - { name: mean_7d, entity: customer, op: mean, of: amountMinor, window: 7d, current: false }
  - { name: since_last, entity: customer, op: seconds_since_last, absent: -1 }
  - { name: fraud_7d, entity: pair, op: fraud_rate, window: 7d, delay: 7d }
  - { name: by_mean, ratio: [amount, mean_7d], absent: 1 }
model: { name: small, version: "1" }
policy: { review: 0.4, block: 0.8 }
`

/** @param changes pairs of a part of the sound text and what stands in its place. */
export function textWith(...changes: readonly (readonly [string, string])[]): string {
  return changes.reduce((text, [from, to]) => {
    if (!text.includes(from)) throw new Error(`the sound text has no ${from}`)
    return text.replace(from, to)
  }, soundText)
}

export const repositoryPath = (path: string): string =>
  fileURLToPath(new URL(`../../../${path}`, import.meta.url))

export const shippedPipelines = ['pipelines/card-fraud.yaml', 'load/bench/pipelines/pipeline.yaml']
