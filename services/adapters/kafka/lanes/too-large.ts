// Whether a broker refuses a send for its size: trying again would change nothing.
//
// In: what kafkajs threw, which may be the protocol's error, one that wraps it after retries, or
// one that gathers those of several brokers. Out: a yes or no. Invariant: only Kafka's own two
// answers count; a connection that is closed over a request is trouble like any other.

const refusals: readonly unknown[] = ['MESSAGE_TOO_LARGE', 'RECORD_LIST_TOO_LARGE']

type KafkajsError = {
  readonly type?: unknown
  readonly cause?: unknown
  readonly originalError?: unknown
  readonly errors?: unknown
}

export function isTooLarge(error: unknown, depth = 0): boolean {
  if (typeof error !== 'object' || error === null || depth > CAUSES_MAX) return false
  const { type, cause, originalError, errors } = error as KafkajsError
  const inner = [cause, originalError, ...(Array.isArray(errors) ? errors : [])]
  return refusals.includes(type) || inner.some((each) => isTooLarge(each, depth + 1))
}

const CAUSES_MAX = 5
