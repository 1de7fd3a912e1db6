// The same attempt again and again, with growing pauses, until it succeeds, is refused or is not
// wanted.
//
// In: what to attempt, which failures pass by themselves, who is told of each of them. Out: what
// the attempt gave. Thrown as it comes: a failure that does not pass; the signal's reason once it
// is aborted. Invariants: pauses double up to their ceiling; their count has none, so whoever is
// told has to say so where people look.

type RetryPlan = {
  /** Whether it may be otherwise next time; told of nothing else. */
  readonly isPassing: (error: unknown) => boolean
  readonly onFailure: (failure: Failure) => void
  readonly pauseMsMin: number
  readonly pauseMsMax: number
  /** Ends early where the signal is aborted, and never rejects. */
  readonly pause: (ms: number, signal: AbortSignal) => Promise<void>
  readonly signal: AbortSignal
}

export type Failure = {
  readonly error: unknown
  /** From 1. */
  readonly attempt: number
  readonly nextTryMs: number
}

export async function retrying<T>(
  run: (attempt: number) => Promise<T>,
  { isPassing, onFailure, pauseMsMin, pauseMsMax, pause, signal }: RetryPlan,
): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    signal.throwIfAborted()
    try {
      return await run(attempt)
    } catch (error) {
      signal.throwIfAborted()
      if (!isPassing(error)) throw error
      // 2 ** 30 is beyond every ceiling; more would be beyond every number.
      const nextTryMs = Math.min(pauseMsMax, pauseMsMin * 2 ** Math.min(30, attempt - 1))
      onFailure({ error, attempt, nextTryMs })
      await pause(nextTryMs, signal)
    }
  }
}
