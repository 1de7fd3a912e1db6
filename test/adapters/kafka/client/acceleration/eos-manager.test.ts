import { describe, expect, it } from 'vitest'
import type { LoadStock } from '../../../../../services/adapters/kafka/client/acceleration/stock-modules.ts'
import { loadTwins } from '../kafkajs-twins.ts'

const twins = loadTwins()

type Manager = {
  initProducerId(): Promise<void>
  beginTransaction(): void
  addPartitionsToTransaction(topics: readonly object[]): Promise<void>
  sendOffsets(offsets: object): Promise<void>
  commit(): Promise<void>
  abort(): Promise<void>
  acquireBrokerLock(broker: object): Promise<void>
  releaseBrokerLock(broker: object): void
}
type Failure = { readonly request: string; readonly type: string; readonly times: number }

/** A cluster of two brokers in memory: notes what it is asked, and fails where it is told to. */
class MemoryCluster {
  readonly asked: string[] = []
  coordinatorId = 1
  unreachableId = 0
  private failures: Failure[] = []

  failNext(request: string, type: string, times = 1): void {
    this.failures.push({ request, type, times })
  }

  async refreshMetadataIfNecessary(): Promise<void> {}

  async findGroupCoordinator({ coordinatorType }: { coordinatorType: number }): Promise<object> {
    this.asked.push(`find ${coordinatorType === 1 ? 'transaction' : 'group'}`)
    return this.brokerOf(this.coordinatorId)
  }

  async findBroker({ nodeId }: { nodeId: number }): Promise<object> {
    if (nodeId === this.unreachableId) throw new Error(`broker ${nodeId} is unreachable`)
    return this.brokerOf(nodeId)
  }

  private brokerOf(nodeId: number): object {
    const answer = (request: string) => async () => {
      this.asked.push(`${request} at ${nodeId}`)
      this.failIfTold(request)
      return { producerId: 7n, producerEpoch: 0 }
    }
    const requests = ['initProducerId', 'addPartitionsToTxn', 'addOffsetsToTxn', 'txnOffsetCommit']
    const entries = [...requests, 'endTxn'].map((request) => [request, answer(request)])
    return { nodeId, ...Object.fromEntries(entries) }
  }

  private failIfTold(request: string): void {
    const index = this.failures.findIndex((failure) => failure.request === request)
    if (index === -1) return
    const { type, times } = this.failures[index]!
    if (times === 1) this.failures.splice(index, 1)
    else this.failures[index] = { request, type, times: times - 1 }
    throw Object.assign(new Error(type), { type })
  }
}

const silent = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} }

function createManager(load: LoadStock, cluster: MemoryCluster): Manager {
  const create = load<(options: object) => Manager>('producer/eosManager/index.js')
  const options = { logger: silent, cluster, transactional: true, transactionalId: 'lane-0' }
  return create(options)
}

async function runTransaction(manager: Manager): Promise<void> {
  manager.beginTransaction()
  await manager.addPartitionsToTransaction([{ topic: 'out', partitions: [{ partition: 0 }] }])
  await manager.sendOffsets({
    consumerGroupId: 'group',
    topics: [{ topic: 'in', partitions: [{ partition: 0, offset: '5' }] }],
  })
  await manager.commit()
}

const isLookUp = (line: string) => line.startsWith('find')

async function startManager(load = twins.accelerated) {
  const cluster = new MemoryCluster()
  const manager = createManager(load, cluster)
  await manager.initProducerId()
  return { cluster, manager }
}

describe('eos-manager', () => {
  it('eos-manager - asks for each coordinator once, and otherwise what stock kafkajs asks', async () => {
    const accelerated = await startManager()
    const stock = await startManager(twins.stock)
    for (const { manager } of [accelerated, stock]) {
      await runTransaction(manager)
      await runTransaction(manager)
    }
    const lookUps = accelerated.cluster.asked.filter(isLookUp)
    expect(lookUps).toEqual(['find transaction', 'find group'])
    expect(stock.cluster.asked.filter(isLookUp)).toHaveLength(9)
    const others = (cluster: MemoryCluster) => cluster.asked.filter((line) => !isLookUp(line))
    expect(others(accelerated.cluster)).toEqual(others(stock.cluster))
  })

  it.each([
    ['addPartitionsToTxn', 'NOT_COORDINATOR_FOR_GROUP'],
    ['addOffsetsToTxn', 'NOT_COORDINATOR_FOR_GROUP'],
    ['endTxn', 'GROUP_COORDINATOR_NOT_AVAILABLE'],
    ['endTxn', 'KafkaJSConnectionClosedError'],
  ])('eos-manager - forgets the coordinators where %s fails with %s', async (request, type) => {
    const { cluster, manager } = await startManager()
    await runTransaction(manager)
    cluster.failNext(request, type)
    await expect(runTransaction(manager)).rejects.toThrow(type)
    cluster.coordinatorId = 2
    cluster.asked.length = 0
    // A lane makes a new producer after a failed end; only adding may be tried again as it is.
    if (request === 'endTxn') return expect(manager.abort()).rejects.toThrow('COMMITTING')
    await manager.abort()
    manager.beginTransaction()
    await manager.addPartitionsToTransaction([{ topic: 'out', partitions: [{ partition: 1 }] }])
    expect(cluster.asked).toContain('find transaction')
    expect(cluster.asked).toContain('addPartitionsToTxn at 2')
  })

  it('eos-manager - asks anew where the group coordinator moves while offsets are sent', async () => {
    const { cluster, manager } = await startManager()
    await runTransaction(manager)
    cluster.asked.length = 0
    // The one stale answer that kafkajs itself retries with a new look-up.
    cluster.failNext('txnOffsetCommit', 'NOT_COORDINATOR')
    await runTransaction(manager)
    expect(cluster.asked.filter(isLookUp)).toEqual(['find group'])
    expect(cluster.asked.filter((line) => line.startsWith('txnOffsetCommit'))).toHaveLength(2)
  })

  it('eos-manager - asks anew where the remembered broker cannot be reached', async () => {
    const { cluster, manager } = await startManager()
    await runTransaction(manager)
    cluster.asked.length = 0
    cluster.unreachableId = 1
    cluster.coordinatorId = 2
    await runTransaction(manager)
    expect(cluster.asked).toContain('find transaction')
    expect(cluster.asked).toContain('endTxn at 2')
  })

  it('eos-manager - adds partitions again while the previous transaction ends', async () => {
    const { cluster, manager } = await startManager()
    await runTransaction(manager)
    cluster.asked.length = 0
    cluster.failNext('addPartitionsToTxn', 'CONCURRENT_TRANSACTIONS', 3)
    await runTransaction(manager)
    expect(cluster.asked.slice(0, 4)).toEqual(Array(4).fill('addPartitionsToTxn at 1'))
    expect(cluster.asked.filter(isLookUp)).toEqual([])
  })

  it('eos-manager - gives up adding partitions after a bounded number of attempts', async () => {
    const { cluster, manager } = await startManager()
    cluster.failNext('addPartitionsToTxn', 'CONCURRENT_TRANSACTIONS', 1000)
    await expect(runTransaction(manager)).rejects.toThrow('CONCURRENT_TRANSACTIONS')
    const attempts = cluster.asked.filter((line) => line.startsWith('addPartitionsToTxn'))
    expect(attempts).toHaveLength(9)
  })

  it('eos-manager - retries a fence while the old transaction is being aborted', async () => {
    const cluster = new MemoryCluster()
    const manager = createManager(twins.accelerated, cluster)
    cluster.failNext('initProducerId', 'CONCURRENT_TRANSACTIONS', 4)
    await manager.initProducerId()
    const attempts = cluster.asked.filter((line) => line.startsWith('initProducerId'))
    expect(attempts).toHaveLength(5)
  })

  it('eos-manager - keeps the lock per broker and the order of states', async () => {
    const { manager } = await startManager()
    const broker = { nodeId: 1 }
    await manager.acquireBrokerLock(broker)
    let hasSecond = false
    const second = manager.acquireBrokerLock(broker).then(() => {
      hasSecond = true
    })
    await Promise.resolve()
    expect(hasSecond).toBe(false)
    manager.releaseBrokerLock(broker)
    await second
    await expect(manager.commit()).rejects.toThrow('Cannot call "commit" in state "READY"')
  })
})
