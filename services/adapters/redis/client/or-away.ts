// A connection that ends in the middle of a question: the store is away, and not a stack without a
// code.
//
// In: a question to Redis. Out: its answer. Thrown: what the server itself refuses (a ReplyError)
// and Weir's own errors, as they are; WEIR_ENRICH_STORE_AWAY for all else.

import { WeirError } from '../../../core/errors.ts'

export async function orAway<T>(ask: () => Promise<T>): Promise<T> {
  try {
    return await ask()
  } catch (error) {
    if (error instanceof WeirError || isReply(error)) throw error
    const reason = error instanceof Error ? error.message : String(error)
    throw new WeirError('WEIR_ENRICH_STORE_AWAY', `Redis did not answer: ${reason}`, {
      cause: error,
    })
  }
}

const isReply = (error: unknown): boolean => error instanceof Error && error.name === 'ReplyError'
