// Faults of producers: what was sent is sent again, out of order.
//
// In: what was drawn. Out: the messages produced. A message that stands in the topic twice is two
// events: each gets one outcome and one place in the logs. Poison and late events come with the
// campaign's traffic itself.

import type { FaultMaker } from './fault.ts'

/** A retry without idempotence, a restored backup: a stretch of the past once more, as it was. */
export const repeatInput: FaultMaker = (random) => {
  const count = random.integer(50, 500)
  return {
    kind: 'sent twice',
    words: `the last ${count} messages are produced once more`,
    strike: ({ traffic }) => traffic.produce(traffic.recent().slice(-count)),
  }
}

/** Several producers of one key, or one that retries in parallel. */
export const shuffleInput: FaultMaker = (random) => {
  const count = random.integer(50, 500)
  const order = Array.from({ length: count }, () => random.uniform())
  return {
    kind: 'out of order',
    words: `the last ${count} messages are produced once more, shuffled by ${order[0]!.toFixed(2)}`,
    strike: ({ traffic }) => {
      const recent = traffic.recent().slice(-count)
      const shuffled = recent
        .map((message, i) => ({ message, at: order[i]! }))
        .sort((a, b) => a.at - b.at)
      return traffic.produce(shuffled.map(({ message }) => message))
    },
  }
}
