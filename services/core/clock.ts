// The wall clock as a dependency, so that tests and replay choose the time.
//
// Stages never call Date.now(): the batch carries its scoredTimeMs, taken once by the pipeline.

export type Clock = { readonly nowMs: () => number }

export const systemClock: Clock = { nowMs: () => Date.now() }
