// Shortens the conversation of a transactional producer with its coordinator. In: what kafkajs
// makes its manager of exactly-once semantics from. Out: a manager with the same operations.
//
// Three changes, none in what is sent to whom: coordinators are remembered (coordinator-memory.ts);
// AddPartitionsToTxn, which meets the previous transaction's markers still being written as soon as
// look-ups no longer delay it, is asked again after 1 ms instead of 20; and the manager's own
// retries start at 20 ms. Invariant: only requests that change nothing when repeated are repeated.

import { setTimeout as sleep } from 'node:timers/promises'
import { type Cluster, CoordinatorMemory, isConcurrentTransactions } from './coordinator-memory.ts'
import type { LoadStock } from './stock-modules.ts'

type Operation = (...values: unknown[]) => Promise<unknown>
type EosManager = Record<string, unknown>
type CreateEosManager = (options: { readonly cluster: Cluster }) => EosManager

/** The operations of the manager that look coordinators up. */
const operations = [
  'initProducerId',
  'addPartitionsToTransaction',
  'sendOffsets',
  'commit',
  'abort',
] as const

/**
 * Milliseconds between attempts to add partitions; after the last one kafkajs' own retry goes on.
 */
const addPartitionsPausesMs = [1, 1, 1, 2, 2, 4, 8, 16]

/**
 * kafkajs means to take these from the cluster, which has none, and so waits 300 ms before it asks
 * again after CONCURRENT_TRANSACTIONS: the usual answer to a fence while the old owner's
 * transaction is being aborted. About as long in all as before (15 s).
 */
const retry = { initialRetryTime: 20, maxRetryTime: 1000, retries: 20 }

export function replaceEosManager(load: LoadStock): CreateEosManager {
  const createStock = load<CreateEosManager>('producer/eosManager/index.js')
  return (options) => {
    const memory = new CoordinatorMemory(options.cluster)
    const cluster: Cluster = Object.assign(Object.create(options.cluster), {
      retry,
      findGroupCoordinator: memory.find.bind(memory),
    })
    const manager = createStock({ ...options, cluster })
    for (const name of operations) {
      const operation = manager[name] as Operation
      manager[name] = (...values: unknown[]) => memory.during(() => operation(...values))
    }
    const addPartitions = manager.addPartitionsToTransaction as Operation
    manager.addPartitionsToTransaction = (...values: unknown[]) =>
      untilPreviousEnded(() => addPartitions(...values))
    return manager
  }
}

async function untilPreviousEnded(attempt: () => Promise<unknown>): Promise<unknown> {
  for (const pauseMs of addPartitionsPausesMs) {
    try {
      return await attempt()
    } catch (cause) {
      if (!isConcurrentTransactions(cause)) throw cause
      await sleep(pauseMs)
    }
  }
  return attempt()
}
