// A question to the brokers' admin interface: its answer, or a WeirError that says what they said.
//
// kafkajs throws the same way for "nobody is there" and for "no". The first is WEIR_KAFKA_AWAY and
// may be retried; the second is WEIR_TOPICS_DIFFER with the broker's reasons, and stays so. Around
// more than one question, `translateKafka` does the same to kafkajs' errors and leaves all others
// alone.

import { WeirError } from '../../../core/errors.ts'
import { kafkajs } from './kafka-client.ts'

/** What the broker itself calls passing (it does not know a new topic yet) counts as away. */
export async function askBroker<T>(call: () => Promise<T>): Promise<T> {
  try {
    return await call()
  } catch (cause) {
    throw describe(cause)
  }
}

export async function translateKafka<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    throw error instanceof kafkajs.KafkaJSError ? describe(error) : error
  }
}

function describe(cause: unknown): WeirError {
  const { errors = [cause] } = cause as { errors?: readonly unknown[] }
  const reason = errors.map((e) => (e instanceof Error ? e.message : String(e))).join('; ')
  const code = isRefusal(cause) ? 'WEIR_TOPICS_DIFFER' : 'WEIR_KAFKA_AWAY'
  return new WeirError(code, `The broker says: ${reason}`, { cause })
}

function isRefusal(cause: unknown): boolean {
  if (cause instanceof kafkajs.KafkaJSAggregateError) return true
  return cause instanceof kafkajs.KafkaJSProtocolError && !cause.retriable
}
