// A Kafka client of one process: the one that scorers make (createKafka), but for its connections.
//
// In: the brokers, the calls of a process. Out: kafkajs' Kafka. Only Broker and ConnectionPool are
// replaced, one layer above the sockets; whatever kafkajs does between them and Weir is simulated
// with its own code: crashes with a window without a group, retries, rejoins, sequences, fetchers.

import { createRequire } from 'node:module'
import { createKafka, type Kafka } from '../../services/adapters/kafka/client/kafka-client.ts'
import { silentLogger } from '../support/silent-logger.ts'
import type { Brokers } from './brokers/brokers.ts'
import { createSimulatedBroker, NODE_ID } from './brokers/simulated-broker.ts'
import type { Call } from './wire.ts'

type BrokerPool = {
  connectionPoolBuilder: { build: (place?: Place) => Promise<Place> }
  createBroker: (options: { readonly nodeId?: number }) => unknown
}
type Place = { readonly host: string; readonly port: number }
type CreateCluster = (options: object) => { readonly brokerPool: BrokerPool }

// Under NODE_ENV=test kafkajs retries otherwise than in a scorer.
const require = createRequire(import.meta.url)
Object.assign(
  require('kafkajs/src/retry/defaults.test') as object,
  require('kafkajs/src/retry/defaults') as object,
)

export function createSimulatedKafka(brokers: Brokers, call: Call): Kafka {
  const kafka = createKafka({
    brokers: ['simulated:9092'],
    clientId: 'simulated',
    logger: silentLogger,
  })
  const parts = kafka as unknown as Record<symbol, CreateCluster>
  const key = Object.getOwnPropertySymbols(parts).find(
    ({ description }) => description === 'private:Kafka:createCluster',
  )!
  const createCluster = parts[key]!
  parts[key] = (options) => {
    const cluster = createCluster(options)
    const { brokerPool } = cluster
    brokerPool.connectionPoolBuilder = {
      build: async ({ host, port } = { host: 'simulated', port: 9092 }) => ({ host, port }),
    }
    brokerPool.createBroker = ({ nodeId = NODE_ID }) => ({
      ...createSimulatedBroker(brokers, call),
      nodeId,
    })
    return cluster
  }
  return kafka
}
