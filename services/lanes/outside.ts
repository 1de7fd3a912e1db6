// What is outside, away and expected back: a lane waits for it, and its clock stands still.
//
// In: whatever was thrown. Out: whether waiting is the right answer. Kafka, the store and the
// schema registry come back by themselves or by an operator's hand, and Kafka holds the data until
// then. A model that fails to run does not come back by waiting: it is not on the list.

import { type ErrorCode, WeirError } from '../core/errors.ts'
import type { Observe } from '../pipeline/observe/signals.ts'

const outsideCodes: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'WEIR_KAFKA_AWAY',
  'WEIR_REGISTRY_AWAY',
  'WEIR_ENRICH_STORE_AWAY',
  'WEIR_ENRICH_STORE_UNSURE',
])

export const isOutsideCode = (code: ErrorCode): boolean => outsideCodes.has(code)

export const isOutside = (error: unknown): boolean =>
  error instanceof WeirError && isOutsideCode(error.code)

/**
 * An error that is none of Weir's is our own mistake, and must not look like somebody's absence.
 */
export const codeOf = (error: unknown): ErrorCode =>
  error instanceof WeirError ? error.code : 'WEIR_INTERNAL_INVARIANT'

/** What none of Weir's own errors says is our own mistake. */
export const asError = (error: unknown): WeirError =>
  error instanceof WeirError
    ? error
    : new WeirError('WEIR_INTERNAL_INVARIANT', describe(error), { cause: error })

const describe = (error: unknown): string =>
  error instanceof Error ? `${error.name}: ${error.message}` : String(error)

type Retry = {
  readonly operation: string
  readonly attempt: number
  readonly error: unknown
}

export function observeRetry(observe: Observe, { operation, attempt, error }: Retry): void {
  const detail = error instanceof Error ? error.message : String(error)
  observe({ kind: 'retried', operation, attempt, code: codeOf(error), detail })
}
