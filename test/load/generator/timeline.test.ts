// The history: deterministic, ordered, honest about its shares, and with something to find in it.

import { createHash } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { type FraudScenario, fraudScenarios } from '../../../load/generator/frauds.ts'
import { dayMs, type GeneratorOptions } from '../../../load/generator/options.ts'
import {
  findStartTime,
  generateHistory,
  generateTimeline,
  generateTransactions,
  type History,
  type Transaction,
} from '../../../load/generator/timeline.ts'
import { transactionType } from '../../../load/generator/wire.ts'

const small: Partial<GeneratorOptions> = { seed: 5, customers: 1_000, terminals: 1_000, days: 28 }
const history = generateHistory(small)

function fraudsOf({ transactions, fraudById }: History, scenario: FraudScenario): Transaction[] {
  return transactions.filter(({ transactionId }) => fraudById.get(transactionId) === scenario)
}

function groupBy<Value>(values: readonly Value[], keyOf: (value: Value) => string) {
  const groups = new Map<string, Value[]>()
  for (const value of values) {
    const group = groups.get(keyOf(value))
    if (group === undefined) groups.set(keyOf(value), [value])
    else group.push(value)
  }
  return groups
}

const mean = (numbers: readonly number[]) =>
  numbers.reduce((sum, number) => sum + number, 0) / numbers.length

describe('timeline', () => {
  it('timeline - gives the same bytes for the same seed, on every machine', () => {
    const hash = createHash('sha256')
    for (const item of generateTimeline({ ...small, days: 10 })) hash.update(JSON.stringify(item))
    // A change of this hash is a change of everybody's training data and bench: state it in the
    // change log.
    expect(hash.digest('hex')).toBe(
      '40710cb0b9418d45c72b81458abc27392ee45f0b36fa77e43bd6e1ea54eda664',
    )
  })

  it('timeline - gives other transactions for another seed', () => {
    const [first] = generateTransactions({ ...small, seed: 6 })
    expect(first?.transaction).not.toMatchObject({ eventTime: history.transactions[0]!.eventTime })
  })

  it('timeline - holds exactly the fields of the schema, and the truth beside them', () => {
    const schema = transactionType.schema() as unknown as { fields: { name: string }[] }
    const names = schema.fields.map(({ name }) => name)
    for (const { transaction } of generateTransactions({ ...small, count: 500 })) {
      expect(transactionType.isValid(transaction, { noUndeclaredFields: true })).toBe(true)
      expect(Object.keys(transaction)).toEqual(names)
    }
  })

  it('timeline - never lets event time fall, stays in its range and never repeats an id', () => {
    const { transactions } = generateHistory({
      ...small,
      startTimeMs: 1_700_000_000_123,
      days: 3.5,
    })
    let previous = 1_700_000_000_123
    for (const { eventTime } of transactions) {
      expect(eventTime).toBeGreaterThanOrEqual(previous)
      previous = eventTime
    }
    expect(previous).toBeLessThan(1_700_000_000_123 + 3.5 * dayMs)
    expect(new Set(transactions.map(({ transactionId }) => transactionId)).size).toBe(
      transactions.length,
    )
  })

  it('timeline - makes a day the same, whatever range it is part of', () => {
    const startTimeMs = Date.UTC(2026, 0, 11)
    const alone = generateHistory({ ...small, startTimeMs, days: 1 }).transactions
    const within = history.transactions.filter(
      ({ eventTime }) => eventTime >= startTimeMs && eventTime < startTimeMs + dayMs,
    )
    expect(alone.length).toBeGreaterThan(1_000)
    expect(alone).toEqual(within)
  })

  it('timeline - leaves the honest plan alone when the frauds change', () => {
    const days = 3
    const honest = generateHistory({ ...small, days, fraudShare: 0 })
    expect(honest.fraudById.size).toBe(0)
    expect(honest.labels).toEqual([])
    const fraudulent = generateHistory({ ...small, days, fraudShare: 0.05 })
    const keyOf = (one: Transaction) => `${one.eventTime} ${one.customerId}`
    const cardTests = fraudsOf(fraudulent, 'card_testing').length
    expect(fraudulent.transactions.length - cardTests).toBe(honest.transactions.length)
    const plan = new Map(honest.transactions.map((one) => [keyOf(one), one]))
    const left = fraudulent.transactions.filter(
      (one) => !fraudulent.fraudById.has(one.transactionId),
    )
    expect(left.length).toBeGreaterThan(5_000)
    for (const { transactionId: _, ...fields } of left) {
      expect(plan.get(`${fields.eventTime} ${fields.customerId}`)).toMatchObject(fields)
    }
  })

  it('timeline - stops at count', () => {
    expect([...generateTransactions({ ...small, count: 3_333 })]).toHaveLength(3_333)
    expect(generateHistory({ ...small, count: 0 }).transactions).toEqual([])
  })

  it('timeline - has the number of transactions and the rhythm that were asked for', () => {
    const perCustomerDay = history.transactions.length / (1_000 * 28)
    expect(perCustomerDay).toBeGreaterThan(2 * 0.9)
    expect(perCustomerDay).toBeLessThan(2 * 1.1)
    const hours = history.transactions.map(({ eventTime }) => new Date(eventTime).getUTCHours())
    const night = hours.filter((hour) => hour >= 2 && hour < 5).length
    const noon = hours.filter((hour) => hour >= 11 && hour < 14).length
    expect(noon).toBeGreaterThan(night * 5)
  })

  it('timeline - keeps the share of frauds near the one asked for, at several shares', () => {
    for (const fraudShare of [0.005, 0.03]) {
      const { transactions, fraudById } = generateHistory({
        ...small,
        customers: 2_000,
        terminals: 2_000,
        days: 40,
        fraudShare,
      })
      const found = fraudById.size / transactions.length
      expect(found / fraudShare, `asked for ${fraudShare}, found ${found}`).toBeGreaterThan(0.75)
      expect(found / fraudShare, `asked for ${fraudShare}, found ${found}`).toBeLessThan(1.3)
    }
  })

  it('timeline - sends the asked share to the hot terminal, and no more without the knob', () => {
    const shareOfHot = (hotTerminalShare: number) => {
      const { transactions } = generateHistory({ ...small, days: 5, hotTerminalShare })
      return (
        transactions.filter(({ terminalId }) => terminalId === 'm000000').length /
        transactions.length
      )
    }
    expect(shareOfHot(0)).toBeLessThan(0.1)
    expect(shareOfHot(0.4)).toBeGreaterThan(0.37)
    expect(shareOfHot(0.4)).toBeLessThan(0.47)
  })
})

describe('frauds', () => {
  it('frauds - commits every scenario', () => {
    for (const scenario of Object.keys(fraudScenarios) as FraudScenario[]) {
      expect(fraudsOf(history, scenario).length, scenario).toBeGreaterThan(10)
    }
  })

  it('frauds - keeps a compromised terminal bad for days, for nearly all its customers', () => {
    const frauds = groupBy(fraudsOf(history, 'compromised_terminal'), (one) => one.terminalId)
    const [terminalId, found] = [...frauds].sort((a, b) => b[1].length - a[1].length)[0]!
    const from = found[0]!.eventTime
    const to = found.at(-1)!.eventTime
    expect(to - from).toBeGreaterThan(5 * dayMs)
    const all = history.transactions.filter(
      (one) => one.terminalId === terminalId && one.eventTime >= from && one.eventTime <= to,
    )
    expect(found.length / all.length).toBeGreaterThan(0.7)
    expect(new Set(found.map(({ customerId }) => customerId)).size).toBeGreaterThan(3)
  })

  it('frauds - uses a stolen card for about a third of the payments, with raised amounts', () => {
    const thefts = groupBy(fraudsOf(history, 'stolen_card'), (one) => one.customerId)
    const [customerId, found] = [...thefts].sort((a, b) => b[1].length - a[1].length)[0]!
    const from = found[0]!.eventTime
    const to = found.at(-1)!.eventTime
    const usual = history.transactions.filter(
      (one) =>
        one.customerId === customerId &&
        one.eventTime >= from &&
        one.eventTime <= to &&
        !history.fraudById.has(one.transactionId),
    )
    expect(found.length / (found.length + usual.length)).toBeGreaterThan(0.15)
    expect(found.length / (found.length + usual.length)).toBeLessThan(0.6)
    const amounts = (ones: readonly Transaction[]) => ones.map(({ amountMinor }) => amountMinor)
    const allThefts = [...thefts.values()].flat()
    expect(mean(amounts(allThefts))).toBeGreaterThan(2 * mean(amounts(history.transactions)))
  })

  it('frauds - tests a card with 5 to 30 small payments within seconds of each other', () => {
    const { payments, gapMs, amountMinor } = fraudScenarios.card_testing
    const tests = groupBy(
      fraudsOf(history, 'card_testing').filter((one) => one.amountMinor <= amountMinor[1]),
      (one) => `${one.customerId} ${Math.floor(one.eventTime / dayMs)}`,
    )
    const single = [...tests.values()].filter((test) => test.length <= payments[1])
    expect(single.length).toBeGreaterThan(0)
    for (const test of single) {
      expect(test.length).toBeGreaterThanOrEqual(payments[0])
      const gaps = test.slice(1).map((one, index) => one.eventTime - test[index]!.eventTime)
      expect(Math.max(...gaps)).toBeLessThanOrEqual(gapMs[1])
    }
  })

  it('frauds - overlaps with honest behaviour: neither amounts nor bursts tell them apart', () => {
    const honest = history.transactions.filter(
      ({ transactionId }) => !history.fraudById.has(transactionId),
    )
    const large = fraudsOf(history, 'large_amount').map(({ amountMinor }) => amountMinor)
    const typicalFraud = large.sort((a, b) => a - b)[Math.floor(large.length / 2)]!
    const honestAbove = honest.filter(({ amountMinor }) => amountMinor > typicalFraud).length
    expect(honestAbove).toBeGreaterThan(large.length)
    const byCustomer = groupBy(honest, ({ customerId }) => customerId)
    const quickFollowers = [...byCustomer.values()].flatMap((ones) =>
      ones.slice(1).filter((one, index) => one.eventTime - ones[index]!.eventTime < 20_000),
    )
    expect(quickFollowers.length).toBeGreaterThan(100)
  })
})

describe('findStartTime', () => {
  it('findStartTime - ends a history of the asked length just before the given moment', () => {
    const nowMs = Date.UTC(2026, 4, 17, 15, 30)
    const options = { ...small, days: 10_000, count: 7_000 }
    const startTimeMs = findStartTime(options, nowMs)
    const { transactions } = generateHistory({ ...options, startTimeMs })
    expect(transactions).toHaveLength(7_000)
    expect(transactions.at(-1)!.eventTime).toBeLessThanOrEqual(nowMs)
    // 2,000 transactions a day: the next one would be due within minutes.
    expect(nowMs - transactions.at(-1)!.eventTime).toBeLessThan(10 * 60_000)
  })

  it('findStartTime - refuses a history without an end, or longer than time', () => {
    expect(() => findStartTime(small, Date.UTC(2026, 0, 1))).toThrow(/count is Infinity/)
    const endless = { customers: 1, terminals: 2, transactionsPerCustomerPerDay: 0.01, count: 1e6 }
    expect(() => findStartTime(endless, Date.UTC(1970, 5, 1))).toThrow(
      /before 1970: raise customers/,
    )
  })
})
