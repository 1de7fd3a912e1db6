// A logger for clients that a test plays with: their retries are no news.

import type { KafkaLogger } from '../../services/adapters/kafka/client/kafka-client.ts'

export const silentLogger: KafkaLogger = { debug() {}, info() {}, warn() {}, error() {} }
