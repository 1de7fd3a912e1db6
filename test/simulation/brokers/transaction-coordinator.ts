// Transactions as their coordinator keeps them: producer ids, epochs, what is open, what is ending.
//
// In: the requests of transactional producers. Out: epochs; commits and aborts, whose markers are
// written a moment after the answer. Refused: an older epoch, a producer whose last transaction is
// still ending (CONCURRENT_TRANSACTIONS). Invariant: a transaction ends once, as a whole: its
// records and its offsets are visible or never are.

import type { Timer, VirtualTime } from '../virtual-time.ts'
import type { Committed, GroupCoordinator } from './group-coordinator.ts'
import type { PartitionLog } from './partition-log.ts'
import { protocolError } from './protocol-error.ts'

export type Identity = { readonly producerId: string; readonly producerEpoch: number }

type Transaction = {
  readonly producerId: string
  epoch: number
  state: 'empty' | 'open' | 'ending'
  timeoutMs: number
  timeout: Timer | null
  wasCommitted: boolean | null
  readonly partitions: Set<PartitionLog>
  readonly groups: Set<GroupCoordinator>
  readonly offsets: Map<GroupCoordinator, Map<string, Committed>>
}

export class TransactionCoordinator {
  readonly #time: VirtualTime
  readonly #markerMs: () => number
  readonly #transactions = new Map<string, Transaction>()

  /** @param markerMs how long the markers of a transaction take to be written. */
  constructor(time: VirtualTime, markerMs: () => number) {
    this.#time = time
    this.#markerMs = markerMs
  }

  init(id: string, timeoutMs: number): Identity {
    const known = this.#transactions.get(id)
    const transaction = known ?? makeTransaction(String(1000 + this.#transactions.size))
    this.#transactions.set(id, transaction)
    if (transaction.state === 'open') {
      // The one before is fenced at once; its transaction has to be over first.
      transaction.epoch++
      this.#end(transaction, false)
    }
    if (transaction.state === 'ending') throw protocolError('CONCURRENT_TRANSACTIONS')
    transaction.epoch++
    transaction.timeoutMs = timeoutMs
    transaction.wasCommitted = null
    return { producerId: transaction.producerId, producerEpoch: transaction.epoch }
  }

  addPartitions(id: string, who: Identity, partitions: readonly PartitionLog[]): void {
    const transaction = this.#begin(id, who)
    for (const partition of partitions) transaction.partitions.add(partition)
  }

  addGroup(id: string, who: Identity, group: GroupCoordinator): void {
    this.#begin(id, who).groups.add(group)
  }

  /** Produce and offsets are for partitions and groups of the open transaction only. */
  demandOpen(id: string, who: Identity, part: PartitionLog | GroupCoordinator): void {
    const transaction = this.#demand(id, who)
    const isPart =
      transaction.partitions.has(part as PartitionLog) ||
      transaction.groups.has(part as GroupCoordinator)
    if (transaction.state !== 'open' || !isPart) throw protocolError('INVALID_TXN_STATE')
  }

  setOffset(id: string, group: GroupCoordinator, place: string, committed: Committed): void {
    const { offsets } = this.#transactions.get(id)!
    const ofGroup = offsets.get(group) ?? new Map<string, Committed>()
    ofGroup.set(place, committed)
    offsets.set(group, ofGroup)
  }

  end(id: string, who: Identity, isCommit: boolean): void {
    const transaction = this.#demand(id, who)
    if (transaction.state === 'ending') throw protocolError('CONCURRENT_TRANSACTIONS')
    if (transaction.state === 'empty') {
      if (transaction.wasCommitted === isCommit) return
      throw protocolError('INVALID_TXN_STATE')
    }
    this.#end(transaction, isCommit)
  }

  #begin(id: string, who: Identity): Transaction {
    const transaction = this.#demand(id, who)
    if (transaction.state === 'ending') throw protocolError('CONCURRENT_TRANSACTIONS')
    if (transaction.state === 'empty') {
      transaction.state = 'open'
      const expire = (): void => {
        transaction.epoch++
        this.#end(transaction, false)
      }
      transaction.timeout = this.#time.after(transaction.timeoutMs, expire, null)
    }
    return transaction
  }

  #demand(id: string, { producerId, producerEpoch }: Identity): Transaction {
    const transaction = this.#transactions.get(id)
    if (transaction === undefined || transaction.producerId !== producerId) {
      throw protocolError('INVALID_PRODUCER_ID_MAPPING')
    }
    if (transaction.epoch !== producerEpoch) throw protocolError('INVALID_PRODUCER_EPOCH')
    return transaction
  }

  #end(transaction: Transaction, isCommit: boolean): void {
    transaction.state = 'ending'
    transaction.wasCommitted = isCommit
    if (transaction.timeout !== null) this.#time.cancel(transaction.timeout)
    const write = (): void => {
      const { partitions, groups, offsets, producerId } = transaction
      for (const log of partitions) log.mark(producerId, this.#time.nowMs(), isCommit)
      if (isCommit) {
        for (const [group, places] of offsets) {
          for (const [place, committed] of places) group.offsets.set(place, committed)
        }
      }
      partitions.clear()
      groups.clear()
      offsets.clear()
      transaction.state = 'empty'
    }
    this.#time.after(this.#markerMs(), write, null)
  }
}

const makeTransaction = (producerId: string): Transaction => ({
  producerId,
  epoch: -1,
  state: 'empty',
  timeoutMs: 60_000,
  timeout: null,
  wasCommitted: null,
  partitions: new Set(),
  groups: new Set(),
  offsets: new Map(),
})
