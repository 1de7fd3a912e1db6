// The brokers' refusals, as kafkajs makes them of error codes.

import { createRequire } from 'node:module'
// First, so that kafkajs is the accelerated one, as it is in a scorer.
import '../../../services/adapters/kafka/client/kafka-client.ts'

type ErrorRow = { readonly type: string; readonly code: number }
type ErrorModule = {
  readonly errorCodes: readonly ErrorRow[]
  readonly createErrorFromCode: (code: number) => Error
}
type Errors = {
  readonly KafkaJSOffsetOutOfRange: new (cause: Error, where: object) => Error
  readonly KafkaJSConnectionClosedError: new (message: string, where: object) => Error
  readonly KafkaJSConnectionError: new (message: string, where: object) => Error
  readonly KafkaJSRequestTimeoutError: new (message: string, about: object) => Error
}

const require = createRequire(import.meta.url)
const { errorCodes, createErrorFromCode } = require('kafkajs/src/protocol/error') as ErrorModule
const errors = require('kafkajs/src/errors') as Errors

export function protocolError(type: string): Error {
  const row = errorCodes.find((found) => found.type === type)
  if (row === undefined) throw new Error(`kafkajs knows no error ${type}`)
  return createErrorFromCode(row.code)
}

export const offsetOutOfRange = (topic: string, partition: number): Error =>
  new errors.KafkaJSOffsetOutOfRange(protocolError('OFFSET_OUT_OF_RANGE'), { topic, partition })

const where = { host: 'simulated', port: 9092, broker: 'simulated:9092' }

export const connectionClosed = (): Error =>
  new errors.KafkaJSConnectionClosedError('Closed connection', where)

export const connectionRefused = (): Error =>
  new errors.KafkaJSConnectionError('Connection error: connect ECONNREFUSED', {
    ...where,
    code: 'ECONNREFUSED',
  })

export const requestTimedOut = (): Error =>
  new errors.KafkaJSRequestTimeoutError('Request timed out', where)
