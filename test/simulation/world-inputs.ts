// The input topics of a world: what producers write, and when.
//
// In: chance, the scenario. Out: per lane its messages with offsets, in the order of their broker
// times. Among them, by scenario: values with a schema that is asked for, one event that poisons
// the model, one value that is too large for the output topics.

import type { Label, RawMessage, Transaction } from '../../services/pipeline/records.ts'
import type { MemoryLane } from '../support/memory-broker.ts'
import { randomLanes } from '../support/memory-stream.ts'
import type { Random } from '../support/random.ts'
import type { Scenario } from './scenario.ts'
import { lateSchemaId, readJson } from './simulated-codecs.ts'
import { poisonedAmount } from './simulated-model.ts'

const KIB = 1024
const LARGE_VALUE = Buffer.alloc(128 * KIB, 'too large ')
const HUGE_VALUE = Buffer.alloc(10 * KIB * KIB, 'too large ')

/**
 * Bytes of a record batch that the topics take: as `weir topics` plans them, or lowered by
 * somebody.
 */
export const batchBytesMaxOf = ({ isHuge }: Scenario): number => (isHuge ? 8 * KIB : 64) * KIB

export function drawInputs(random: Random, scenario: Scenario): readonly MemoryLane[] {
  const lanes = randomLanes(random, scenario.events)
  const transactionLanes = lanes.filter(({ address }) => address.stream === 'transactions')
  const poisonedLane = random.pick(transactionLanes)
  return lanes.map((lane) => {
    const asksFrom = scenario.hasLateSchema && random.chance(0.7) ? random.integer(0, 30) : null
    const poisonedAt = lane === poisonedLane ? random.integer(0, lane.messages.length - 1) : -1
    let timeMs = 0
    const messages = lane.messages.map((message, i): RawMessage => {
      timeMs = Math.max(timeMs, message.brokerTimeMs)
      const key = Buffer.from(`key-${lane.address.partition}`)
      const poisoned = i >= poisonedAt && poisonedAt >= 0 ? poison(message, scenario) : null
      const value = poisoned ?? message.value
      const asks = asksFrom !== null && i >= asksFrom && value?.[0] === '{'.charCodeAt(0)
      const body = asks ? Buffer.concat([Buffer.from(`?${lateSchemaId}`), value]) : value
      return { ...message, key, brokerTimeMs: timeMs, value: body }
    })
    return { ...lane, messages: onePoisonOnly(messages, lane.messages) }
  })
}

function poison({ value }: RawMessage, scenario: Scenario): Buffer | null {
  if (scenario.poison === 'too_large') return scenario.isHuge ? HUGE_VALUE : LARGE_VALUE
  if (scenario.poison !== 'nan_score') return null
  const transaction = transactionOf(value)
  return transaction && Buffer.from(JSON.stringify({ ...transaction, amountMinor: poisonedAmount }))
}

/** The first one stays; what would follow is as it was. */
function onePoisonOnly(
  changed: readonly RawMessage[],
  before: readonly RawMessage[],
): readonly RawMessage[] {
  const isPoisoned = (value: Buffer | null): boolean =>
    value === LARGE_VALUE ||
    value === HUGE_VALUE ||
    transactionOf(value)?.amountMinor === poisonedAmount
  const first = changed.findIndex(({ value }) => isPoisoned(value))
  return changed.map((message, i) =>
    i > first && isPoisoned(message.value) ? { ...message, value: before[i]!.value } : message,
  )
}

export function transactionOf(value: Buffer | null): Transaction | null {
  const found = readValue<Transaction>(value)
  return typeof found?.amountMinor === 'number' ? found : null
}

export function labelOf(value: Buffer | null): Label | null {
  const found = readValue<Label>(value)
  return typeof found?.labelTime === 'number' ? found : null
}

function readValue<T>(value: Buffer | null): T | null {
  if (value === LARGE_VALUE || value === HUGE_VALUE) return null
  try {
    return readJson<T>(value?.toString() ?? '')
  } catch {
    return null
  }
}
