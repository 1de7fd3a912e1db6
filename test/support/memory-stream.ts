// Random lanes of messages for a memory broker: transactions, labels, rubbish, gaps, late events.
//
// There is one lane of labels at most: the order of a label log is then that of the lane's offsets,
// whatever was delivered again, so that every vector can be recomputed from the outside.

import { laneIdOf } from '../../services/lanes/lane-input.ts'
import type { Arrival, Label, RawMessage, Transaction } from '../../services/pipeline/records.ts'
import type { MemoryLane } from './memory-broker.ts'
import type { Random } from './random.ts'
import { randomStream } from './random-stream.ts'

const RUBBISH = ['', 'rubbish', '{"amountMinor":', '?99{}']

export function randomLanes(random: Random, events: number): MemoryLane[] {
  const { lanes } = randomStream(random, events)
  const transactions = lanes.filter(({ stream }) => stream === 'transactions')
  const labels = lanes.filter(({ stream }) => stream === 'labels').slice(0, 1)
  return [...transactions, ...labels].map((lane, index) => {
    const isLabels = lane.stream === 'labels'
    const partition = isLabels ? 0 : index
    const address = {
      laneId: laneIdOf(lane.stream, partition),
      stream: lane.stream,
      topic: lane.stream,
      partition,
    }
    const messages = withRubbish(random, lane.arrivals)
    const last = messages.at(-1)!.offset
    return { address, messages, endOffset: last + 1 + (random.chance(0.3) ? 1 : 0) }
  })
}

/** Each arrival as bytes; now and then something that is none comes before it. */
function withRubbish(random: Random, arrivals: readonly Arrival[]): RawMessage[] {
  const messages: RawMessage[] = []
  let shift = 0
  for (const { raw, transaction, label } of arrivals) {
    if (random.chance(0.05)) {
      const value = random.chance(0.2) ? null : Buffer.from(random.pick(RUBBISH))
      messages.push({ ...raw, offset: raw.offset + shift++, value })
    }
    const value = Buffer.from(JSON.stringify(transaction ?? label))
    const brokerTimeMs = label === null ? raw.brokerTimeMs : label.labelTime
    messages.push({ ...raw, brokerTimeMs, offset: raw.offset + shift, value })
  }
  return messages
}

export const transactionIn = ({ value }: RawMessage): Transaction =>
  JSON.parse(value!.toString()) as Transaction

export const labelsIn = (lanes: readonly MemoryLane[]): Label[] =>
  lanes
    .filter(({ address }) => address.stream === 'labels')
    .flatMap(({ messages }) => messages)
    .flatMap(({ value }) => {
      try {
        const label = JSON.parse(value?.toString() ?? '') as Label
        return typeof label.labelTime === 'number' ? [label] : []
      } catch {
        return []
      }
    })
