// A scorer's own figures, from its /metrics: batch size and time per stage.
//
// In: Prometheus text of one or more scorers. Out: sums over all of them, ready to divide. Refused:
// a metric that is not there, because its name changed. Invariant: a stage's time is the wall time
// of its batches, waiting included; stages overlap, so their sum may exceed the time that passed.

import { type Stage, stages } from '../../../services/pipeline/observe/signals.ts'

export type StageFigure = {
  /** Wall time from a batch's entry to its exit over its events; waiting for others included. */
  readonly microsPerEvent: number
  readonly batchMean: number
}

export type ScorerFigures = {
  readonly batchMean: number
  readonly stages: Readonly<Record<Stage, StageFigure>>
  readonly storeRoundTripMeanMs: number
}

export function readScorerFigures(texts: readonly string[]): ScorerFigures {
  const sum = (name: string): number => sumOf(texts, name)
  const figureOf = (stage: Stage): StageFigure => {
    const seconds = sum(`weir_stage_duration_seconds_sum{stage="${stage}"}`)
    const events = sum(`weir_stage_batch_events_sum{stage="${stage}"}`)
    const batches = sum(`weir_stage_batch_events_count{stage="${stage}"}`)
    return { microsPerEvent: (seconds * 1e6) / events, batchMean: events / batches }
  }
  const seconds = sum('weir_store_round_trip_duration_seconds_sum')
  return {
    batchMean: sum('weir_batch_events_sum') / sum('weir_batch_events_count'),
    stages: Object.fromEntries(
      stages.map((stage) => [stage, figureOf(stage)]),
    ) as ScorerFigures['stages'],
    storeRoundTripMeanMs: (seconds * 1e3) / sum('weir_store_round_trip_duration_seconds_count'),
  }
}

/** A scorer that got no lane has no samples of some metrics; that all have none is a new name. */
function sumOf(texts: readonly string[], name: string): number {
  const lines = texts.flatMap((text) => text.split('\n'))
  const samples = lines.filter((line) => line.startsWith(`${name} `))
  if (samples.length === 0) {
    throw new Error(`found no ${name} in /metrics, expected it to be exported`)
  }
  return samples.reduce((sum, line) => sum + Number(line.slice(name.length + 1)), 0)
}
