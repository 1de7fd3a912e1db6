// The clocks as a dependency, so that tests and replay choose the time.
//
// Two of them, never mixed: `nowMs` is the time of day, compared with event and broker times; who
// waits measures with `monotonicMs`, because the time of day jumps when somebody sets it.
// Stages never call Date.now(): the batch carries its scoredTimeMs, taken once by the pipeline.

export type Clock = { readonly nowMs: () => number }

/** For whoever waits or watches: it only ever goes forward; its zero means nothing. */
export type WaitingClock = { readonly monotonicMs: () => number }

export const systemClock: Clock & WaitingClock = {
  nowMs: () => Date.now(),
  monotonicMs: () => performance.now(),
}
