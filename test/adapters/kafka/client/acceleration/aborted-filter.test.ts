// Aborted transactions that lie side by side, read from the middle of them.

import { describe, expect, it } from 'vitest'
import { loadTwins } from '../kafkajs-twins.ts'

type Message = {
  readonly offset: string
  readonly key: Buffer | null
  readonly batchContext: { readonly producerId: string; readonly inTransaction: boolean }
}
type Fetched = {
  readonly messages: readonly Message[]
  readonly abortedTransactions?: readonly { producerId: string; firstOffset: string }[]
}
type Filter = (fetched: Fetched) => readonly Message[]

const { stock, accelerated } = loadTwins()
const stockFilter = stock<Filter>('consumer/filterAbortedMessages.js')
const filter = accelerated<Filter>('consumer/filterAbortedMessages.js')

const recordOf = (offset: number, producerId: string): Message => ({
  offset: String(offset),
  key: null,
  batchContext: { producerId, inTransaction: true },
})
const abortOf = (offset: number, producerId: string): Message => ({
  ...recordOf(offset, producerId),
  key: Buffer.from([0, 0, 0, 0]),
})
const offsetsOf = (messages: readonly Message[]) => messages.map(({ offset }) => offset)

/** Two lanes' transactions in one partition: A from 0 on, B from 2 on, both aborted behind them. */
const fromTheSecond: Fetched = {
  messages: [
    recordOf(2, 'B'),
    recordOf(3, 'B'),
    abortOf(4, 'A'),
    abortOf(5, 'B'),
    recordOf(6, 'C'),
  ],
  abortedTransactions: [
    { producerId: 'A', firstOffset: '0' },
    { producerId: 'B', firstOffset: '2' },
  ],
}

describe('aborted filter', () => {
  it('hides a record whose transaction begins where the fetch does, beside an earlier one', () => {
    expect(offsetsOf(filter(fromTheSecond))).toEqual(['4', '5', '6'])
  })

  it('is needed: kafkajs itself hands that record out', () => {
    expect(offsetsOf(stockFilter(fromTheSecond))).toEqual(['2', '4', '5', '6'])
  })

  it('does as kafkajs does wherever the fetch begins before them', () => {
    const whole: Fetched = {
      messages: [recordOf(0, 'A'), recordOf(1, 'C'), ...fromTheSecond.messages, recordOf(7, 'A')],
      abortedTransactions: fromTheSecond.abortedTransactions!,
    }
    expect(filter(whole)).toEqual(stockFilter(whole))
    expect(offsetsOf(filter(whole))).toEqual(['1', '4', '5', '6', '7'])
    const { messages } = whole
    expect(filter({ messages })).toBe(messages)
  })
})
