// What a challenger has to keep to, step by step, as the pipeline file's `rollout` says it.

export type RolloutRules = {
  /** Chance of a wrong verdict over a whole rollout. */
  readonly alpha: number
  /** Least events in a step, and before its drift is judged. */
  readonly eventsMin: number
  readonly stepMsMin: number
  /** After it the step is inconclusive. */
  readonly stepMsMax: number
  /** The challenger's share of flagged events over the champion's. */
  readonly alertRateMin: number
  readonly alertRateMax: number
  readonly scorePsiMax: number
  readonly rankCorrelationMin: number
  /** The challenger's time in a run over the champion's. */
  readonly latencyRatioMax: number
  /** Share of events that it may leave without a score. */
  readonly failedShareMax: number
  /** A canary without events for so long is taken back. */
  readonly noDataMs: number
}
