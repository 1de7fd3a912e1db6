// Disturbances: late, duplicate and poison messages, each counted, none lost, none harmless.

import { describe, expect, it } from 'vitest'
import { countMessage, countReceived, createCounts } from '../../../load/generator/counts.ts'
import {
  type Disturbances,
  generateMessages,
  type Message,
} from '../../../load/generator/disturbances.ts'
import type { GeneratorOptions } from '../../../load/generator/options.ts'
import { type PoisonName, poisonKinds } from '../../../load/generator/poison.ts'
import {
  generateHistory,
  generateTimeline,
  type Transaction,
} from '../../../load/generator/timeline.ts'
import { createWire, transactionType, wireHeaderSize } from '../../../load/generator/wire.ts'

const schemaIds = { transactions: 77, labels: 78 }
const small: Partial<GeneratorOptions> = { seed: 5, customers: 500, terminals: 500, days: 10 }

function messagesWith(disturbances: Partial<Disturbances>, generator = small): Message[] {
  const wire = createWire(schemaIds)
  return [...generateMessages({ timeline: generateTimeline(generator), wire, disturbances })]
}

function countsOf(messages: readonly Message[]) {
  const counts = createCounts()
  for (const message of messages) countMessage(counts, message)
  return counts
}

/** A reader as strict as the schema's words: what it refuses, a pipeline has to refuse. */
function read(value: Buffer | null): Transaction {
  if (value === null) throw new Error('no value')
  if (value[0] !== 0) throw new Error('not the magic byte')
  if (value.readUInt32BE(1) !== schemaIds.transactions) throw new Error('unknown schema')
  const transaction = transactionType.fromBuffer(value.subarray(wireHeaderSize)) as Transaction
  const { transactionId, customerId, terminalId, amountMinor, currency, eventTime } = transaction
  for (const id of [transactionId, customerId, terminalId]) {
    if (id.length < 1 || id.length > 64) throw new Error('id of the wrong length')
  }
  if (amountMinor < 0 || amountMinor > 1e12) throw new Error('amount out of range')
  if (!['EUR', 'GBP', 'CHF'].includes(currency)) throw new Error('unknown currency')
  if (eventTime < 0 || eventTime > Date.UTC(2100, 0, 1)) throw new Error('time out of range')
  return transaction
}

describe('disturbances', () => {
  it('disturbances - without any, pass the timeline on as it is', () => {
    const messages = messagesWith({})
    const { transactions, labels } = generateHistory(small)
    const tidy = messages.filter(({ kind }) => kind === 'transaction')
    expect(tidy.map(({ value }) => read(value))).toEqual(transactions)
    expect(messages).toHaveLength(transactions.length + labels.length)
    for (const { key, value } of tidy) expect(key).toBe(read(value).customerId)
  })

  it('disturbances - send every transaction exactly once, and count what comes on top', () => {
    const messages = messagesWith({ lateShare: 0.05, duplicateShare: 0.04, poisonShare: 0.03 })
    const { transactions, labels } = generateHistory(small)
    const counts = countsOf(messages)
    const isOriginal = ({ kind }: Message) => kind === 'transaction' || kind === 'late'
    const ids = messages.filter(isOriginal).map(({ transactionId }) => transactionId)
    expect([...ids].sort()).toEqual(transactions.map((one) => one.transactionId).sort())
    expect(counts.transactions).toBe(transactions.length)
    expect(counts.labels).toBe(labels.length)
    expect(countReceived(counts)).toBe(messages.length - labels.length)
    const shareOf = (count: number) => count / transactions.length
    expect(Math.abs(shareOf(counts.late) - 0.05)).toBeLessThan(0.01)
    expect(Math.abs(shareOf(counts.duplicates) - 0.04)).toBeLessThan(0.01)
    expect(Math.abs(shareOf(counts.poison) - 0.03)).toBeLessThan(0.01)
    const byKind = Object.values(counts.poisonByKind).reduce((sum, count) => sum + count, 0)
    expect(byKind).toBe(counts.poison)
  })

  it('disturbances - copy duplicates to the byte, and only after their originals', () => {
    const seen = new Map<string, Buffer>()
    let copies = 0
    for (const message of messagesWith({ duplicateShare: 0.1, lateShare: 0.1 })) {
      if (message.kind === 'label' || message.kind === 'poison') continue
      const id = message.transactionId!
      if (message.kind !== 'duplicate') seen.set(id, message.value!)
      else {
        expect(message.value?.equals(seen.get(id)!)).toBe(true)
        copies++
      }
    }
    expect(copies).toBeGreaterThan(500)
  })

  it('disturbances - deliver late messages after others with later event times', () => {
    const messages = messagesWith({ lateShare: 0.05, latenessMeanMs: 600_000 })
    let clockMs = 0
    const latenesses: number[] = []
    for (const { kind, timeMs } of messages) {
      if (kind === 'late') latenesses.push(clockMs - timeMs)
      if (kind === 'transaction') {
        expect(timeMs).toBeGreaterThanOrEqual(clockMs)
        clockMs = timeMs
      }
    }
    // At the very end nothing comes after a late one any more.
    expect(latenesses.filter((lateness) => lateness > 0).length).toBeGreaterThan(
      latenesses.length - 5,
    )
    const mean = latenesses.reduce((sum, lateness) => sum + lateness, 0) / latenesses.length
    expect(mean).toBeGreaterThan(500_000)
  })

  it('disturbances - make poison of every kind, and a strict reader refuses each', () => {
    const kinds = new Map<PoisonName, Message[]>()
    for (const message of messagesWith({ poisonShare: 1, hugeBytes: 100_000 })) {
      if (message.poison === null) continue
      kinds.set(message.poison, [...(kinds.get(message.poison) ?? []).slice(-99), message])
      expect(() => read(message.value), message.poison).toThrow()
    }
    expect([...kinds.keys()].sort()).toEqual(Object.keys(poisonKinds).sort())
    expect(kinds.get('huge_value')![0]!.value).toHaveLength(100_000)
  })

  it('disturbances - keep each to itself: one share does not move the choices of another', () => {
    const lateOnly = messagesWith({ lateShare: 0.05 })
    const all = messagesWith({ lateShare: 0.05, duplicateShare: 0.2, poisonShare: 0.2 })
    const lateIds = (messages: readonly Message[]) =>
      messages.filter(({ kind }) => kind === 'late').map(({ transactionId }) => transactionId)
    expect(lateIds(lateOnly).length).toBeGreaterThan(100)
    expect(lateIds(all)).toEqual(lateIds(lateOnly))
  })

  it('disturbances - repeat to the byte for a seed', () => {
    const shares = { lateShare: 0.1, duplicateShare: 0.1, poisonShare: 0.1, hugeBytes: 1_000 }
    expect(messagesWith(shares)).toEqual(messagesWith(shares))
    expect(messagesWith({ ...shares, seed: 2 })).not.toEqual(messagesWith(shares))
  })

  it('disturbances - refuse a share that is none', () => {
    expect(() => messagesWith({ lateShare: 1.5, poisonShare: -1 })).toThrow(
      /lateShare is 1.5, expected .*poisonShare is -1/,
    )
  })
})
