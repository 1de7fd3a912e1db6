// Kafka's servers in one object: topics, groups, transactions, and whether they can be reached.
//
// In: topics with their partitions. Out: their parts, for clients (simulated-broker.ts) and for
// judges.

import type { Random } from '../../support/random.ts'
import type { VirtualTime } from '../virtual-time.ts'
import { GroupCoordinator } from './group-coordinator.ts'
import { PartitionLog } from './partition-log.ts'
import { protocolError } from './protocol-error.ts'
import { TransactionCoordinator } from './transaction-coordinator.ts'

export type BrokersOptions = {
  readonly time: VirtualTime
  readonly random: Random
  /** Partitions by topic. */
  readonly topics: Readonly<Record<string, number>>
  /** Bytes of a record batch at most. */
  readonly batchBytesMax: number
  /** Chance of a disconnect to take its time. */
  readonly slowDisconnect: () => number
  /** Records of a fetch of one partition at most. */
  readonly fetchRecordsMax: number
}

export type Brokers = ReturnType<typeof createBrokers>

export function createBrokers(options: BrokersOptions) {
  const { time, random } = options
  const topics = new Map(
    Object.entries(options.topics).map(([topic, count]): [string, PartitionLog[]] => [
      topic,
      Array.from({ length: count }, (_, partition) => new PartitionLog(topic, partition)),
    ]),
  )
  const groups = new Map<string, GroupCoordinator>()
  const transactions = new TransactionCoordinator(time, () => random.integer(0, 30))
  const firstJoinMs = random.pick([0, 0, 300, 3000])
  const broken = { awayUntilMs: 0, silentUntilMs: 0, fetchFailsUntilMs: 0 }
  return {
    time,
    random,
    batchBytesMax: options.batchBytesMax,
    fetchRecordsMax: options.fetchRecordsMax,
    topics,
    groups,
    transactions,
    /** Faults that the world may set. */
    broken,
    isAway: (): boolean => time.nowMs() < broken.awayUntilMs,
    /**
     * How long a client takes to close its connections: kafkajs waits for what is on its way, ms.
     */
    disconnectMs: (): number =>
      random.chance(options.slowDisconnect()) ? random.integer(100, 10_000) : 1,
    isSilent: (): boolean => time.nowMs() < broken.silentUntilMs,
    log: (topic: string, partition: number): PartitionLog => {
      const log = topics.get(topic)?.[partition]
      if (log === undefined) throw protocolError('UNKNOWN_TOPIC_OR_PARTITION')
      return log
    },
    group: (groupId: string): GroupCoordinator => {
      const known = groups.get(groupId)
      if (known !== undefined) return known
      const made = new GroupCoordinator(time, firstJoinMs)
      groups.set(groupId, made)
      return made
    },
  }
}
