// One partition: records in the order of their offsets, transactions that are open, committed or
// not.
//
// In: records of producers, markers that end their transactions. Out: what a fetch is handed, as
// kafkajs decodes it. Invariants: readers of committed records see nothing at or behind the first
// record of an open transaction; a marker takes an offset of its own.

import { offsetOutOfRange, protocolError } from './protocol-error.ts'

export type LogMessage = {
  readonly offset: string
  readonly timestamp: string
  readonly key: Buffer | null
  readonly value: Buffer | null
  readonly headers: Readonly<Record<string, never>>
  readonly isControlRecord: boolean
  readonly batchContext: { readonly producerId: string; readonly inTransaction: boolean }
}

export type NewRecord = {
  /** Left out: the next one. */
  readonly offset?: number
  readonly timeMs: number
  readonly key: Buffer | null
  readonly value: Buffer | null
}

type Entry = {
  readonly offset: number
  readonly timeMs: number
  readonly message: LogMessage
  /** What was appended at once; a fetch has all of it or nothing. */
  readonly batch: number
}
type Aborted = {
  readonly producerId: string
  readonly firstOffset: number
  readonly endOffset: number
}
/** What a producer has appended: its last batch may be sent again. */
type Sequence = { epoch: number; next: number; readonly last: Map<number, number> }

export type Fetched = {
  readonly partition: number
  readonly highWatermark: string
  readonly abortedTransactions: readonly { producerId: string; firstOffset: string }[]
  readonly messages: readonly LogMessage[]
}

export class PartitionLog {
  readonly topic: string
  readonly partition: number
  low = 0
  high = 0
  readonly #entries: Entry[] = []
  readonly #open = new Map<string, number>()
  readonly #aborted: Aborted[] = []
  readonly #sequences = new Map<string, Sequence>()
  #batches = 0
  #listeners: (() => void)[] = []

  constructor(topic: string, partition: number) {
    this.topic = topic
    this.partition = partition
  }

  append(records: readonly NewRecord[], producerId = '-1', inTransaction = false): number {
    const first = records[0]?.offset ?? this.high
    this.#batches++
    if (inTransaction && !this.#open.has(producerId)) this.#open.set(producerId, first)
    for (const { offset = this.high, timeMs, key, value } of records) {
      this.#push(offset, timeMs, { key, value, isControlRecord: false, producerId, inTransaction })
    }
    this.#tell()
    return first
  }

  /** A batch of an idempotent producer: stored once, however often it is sent. */
  appendOnce(
    records: readonly NewRecord[],
    producer: { readonly id: string; readonly epoch: number; readonly sequence: number },
  ): number {
    const known = this.#sequences.get(producer.id)
    const isNew = known === undefined || known.epoch < producer.epoch
    const state = isNew ? { epoch: producer.epoch, next: 0, last: new Map() } : known
    if (producer.epoch < state.epoch) throw protocolError('INVALID_PRODUCER_EPOCH')
    const before = state.last.get(producer.sequence)
    if (before !== undefined) return before
    if (producer.sequence !== state.next) throw protocolError('OUT_OF_ORDER_SEQUENCE_NUMBER')
    const first = this.append(records, producer.id, true)
    state.next += records.length
    state.last.set(producer.sequence, first)
    this.#sequences.set(producer.id, state)
    return first
  }

  /** Ends the producer's transaction here. */
  mark(producerId: string, timeMs: number, isCommit: boolean): void {
    const firstOffset = this.#open.get(producerId)
    this.#open.delete(producerId)
    const key = Buffer.from([0, 0, 0, isCommit ? 1 : 0])
    const endOffset = this.high
    this.#batches++
    this.#push(endOffset, timeMs, {
      key,
      value: Buffer.alloc(6),
      isControlRecord: true,
      producerId,
      inTransaction: true,
    })
    if (!isCommit && firstOffset !== undefined) {
      this.#aborted.push({ producerId, firstOffset, endOffset })
    }
    this.#tell()
  }

  /** A control record that ends nothing, as transactions of a producer leave them in an input. */
  pad(timeMs: number): void {
    this.mark('-2', timeMs, true)
  }

  /** Where readers of committed records end. */
  get stable(): number {
    return Math.min(this.high, ...this.#open.values())
  }

  offsetAt(timeMs: number): number {
    return this.#entries.find((entry) => entry.timeMs >= timeMs)?.offset ?? -1
  }

  fetch(fromOffset: number, bytesMax: number, recordsMax: number): Fetched {
    if (fromOffset < this.low || fromOffset > this.high) {
      throw offsetOutOfRange(this.topic, this.partition)
    }
    const messages: LogMessage[] = []
    let bytes = 0
    let batch = -1
    for (let i = this.#batchStart(fromOffset); i < this.#entries.length; i++) {
      const { offset, message, batch: own } = this.#entries[i]!
      const isFull = bytes > bytesMax || messages.length >= recordsMax
      if (offset >= this.stable || (own !== batch && isFull)) break
      batch = own
      bytes += message.value?.length ?? 0
      messages.push(message)
    }
    const last = Number(messages.at(-1)?.offset ?? -1)
    const aborted = this.#aborted
      .filter(({ firstOffset, endOffset }) => firstOffset <= last && endOffset >= fromOffset)
      .sort((a, b) => a.firstOffset - b.firstOffset)
    return {
      partition: this.partition,
      highWatermark: String(this.high),
      abortedTransactions: aborted.map(({ producerId, firstOffset }) => ({
        producerId,
        firstOffset: String(firstOffset),
      })),
      messages,
    }
  }

  /** What readers of committed records have before them, without markers. */
  committed(): readonly LogMessage[] {
    const isAborted = (offset: number, producerId: string): boolean =>
      this.#aborted.some(
        (aborted) =>
          aborted.producerId === producerId &&
          offset >= aborted.firstOffset &&
          offset <= aborted.endOffset,
      )
    return this.#entries
      .filter(({ offset, message }) => {
        if (offset >= this.stable || message.isControlRecord) return false
        const { producerId, inTransaction } = message.batchContext
        return !inTransaction || !isAborted(offset, producerId)
      })
      .map(({ message }) => message)
  }

  onceMoved(listener: () => void): void {
    this.#listeners.push(listener)
  }

  #tell(): void {
    const listeners = this.#listeners
    this.#listeners = []
    for (const listener of listeners) listener()
  }

  #push(
    offset: number,
    timeMs: number,
    record: Pick<LogMessage, 'key' | 'value' | 'isControlRecord'> & LogMessage['batchContext'],
  ): void {
    const { key, value, isControlRecord, producerId, inTransaction } = record
    const message: LogMessage = {
      offset: String(offset),
      timestamp: String(Math.floor(timeMs)),
      key,
      value,
      headers: {},
      isControlRecord,
      batchContext: { producerId, inTransaction },
    }
    this.#entries.push({ offset, timeMs, message, batch: this.#batches })
    this.high = offset + 1
  }

  /** Where the batch begins that holds the offset: readers drop what lies before the offset. */
  #batchStart(offset: number): number {
    let index = this.#indexAt(offset)
    const batch = this.#entries[index]?.batch
    while (index > 0 && this.#entries[index - 1]!.batch === batch) index--
    return index
  }

  #indexAt(offset: number): number {
    let [from, to] = [0, this.#entries.length]
    while (from < to) {
      const middle = (from + to) >> 1
      if (this.#entries[middle]!.offset < offset) from = middle + 1
      else to = middle
    }
    return from
  }
}
