// Random lanes of transactions and labels: ties, late events within and beyond what is allowed,
// transactions sent twice, labels before, at and after their time, offsets with gaps. Some streams
// crawl through days, some crowd many events into one tile, and some have one customer and terminal
// that get nearly all of them.

import {
  addArrival,
  type CardTransaction,
  createLane,
  EPOCH_MS,
  fraudLabelOf,
  type TestLane,
  transactionOf,
} from './batches.ts'
import { DAY_MS, HOUR_MS } from './pipelines.ts'
import type { Random } from './random.ts'

const paces = [
  [0, 0, 0, 1, 500, 1000, 59_000, HOUR_MS, 7 * HOUR_MS],
  [0, 0, 1, 100, 500, 1000, 1000, 7000],
  [0, 0, 1000, 7000, 30_000, 60_000, 100_000, 600_000],
] as const
const latenessesMs = [1, 999, 1000, 1001, 60_000, HOUR_MS, HOUR_MS + 1, 2 * DAY_MS]
const labelDelaysMs = [0, 0, 1, 1000, HOUR_MS, DAY_MS, -1000]
const amounts = [
  [0, 3],
  [1, 100_000],
  [999_999_999_000, 1_000_000_000_000],
] as const

export type RandomStream = {
  readonly lanes: readonly TestLane[]
}

/** Several lanes that share one clock, so that their events are near one another in time. */
export function randomStream(random: Random, events: number, labelLanesMax = 2): RandomStream {
  const transactionLanes = Array.from({ length: random.integer(1, 3) }, (_, id) => createLane(id))
  const labelLanes = Array.from({ length: random.integer(0, labelLanesMax) }, (_, id) =>
    createLane(300 + id, 'labels'),
  )
  const [amountMin, amountMax] = random.pick(amounts)
  const sent: CardTransaction[] = []
  const stepsMs = random.pick(paces)
  const hotShare = random.pick([0, 0, 0.8])
  const oneOf = <T>(names: readonly [T, ...T[]]): T =>
    random.chance(hotShare) ? names[0] : random.pick(names)
  let nowMs = EPOCH_MS + random.integer(0, 6) * DAY_MS
  for (let i = 0; i < events; i++) {
    nowMs += random.pick(stepsMs)
    const lane = random.pick(transactionLanes)
    const isLate = random.chance(0.15)
    const isTwice = random.chance(0.05) && sent.length > 0
    const transaction = isTwice
      ? random.pick(sent)
      : transactionOf({
          transactionId: `t${i}`,
          eventTime: isLate ? nowMs - random.pick(latenessesMs) : nowMs,
          customerId: oneOf(['c0', 'c1', 'c2']),
          terminalId: oneOf(['p|1', 'p2', 'p\\3']),
          amountMinor: random.integer(amountMin, amountMax),
          mcc: random.pick([null, '5411', '4829', '5999']),
          country: random.pick([null, 'DE', 'FR']),
        })
    sent.push(transaction)
    addArrival(lane, transaction, random.chance(0.1) ? random.integer(1, 3) : 0)
    if (labelLanes.length > 0 && random.chance(0.4)) {
      const labelled = random.pick(sent)
      const label = fraudLabelOf(labelled, {
        isFraud: random.chance(0.8),
        labelTime: labelled.eventTime + random.pick(labelDelaysMs),
      })
      addArrival(random.pick(labelLanes), label)
    }
  }
  return { lanes: [...transactionLanes, ...labelLanes].filter((l) => l.arrivals.length > 0) }
}
