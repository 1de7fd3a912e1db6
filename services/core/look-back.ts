// How far back a pipeline looks, and how long its topics have to keep events because of it: times
// of the definition in, ms out.
//
//   ───┬──────────┬─────────┬───────────────────────────────────────────────┬────────► time
//      └─ margin ─┴─ slack ─┴─ late.allowed, delay, window, step of its tail ┴ lanes go on here
//
// The only formula for it: the pipeline file's smallest `store.retention`, the doctor, a restore,
// parity and `weir topics` all ask here, so that none can call enough what another finds short.

import type { FeatureDefinition, PipelineDefinition } from './pipeline-definition.ts'

const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS

/** The furthest back that any window looks for the latest event that is still counted, ms. */
export function longestReachMs({
  features,
  late,
}: Pick<PipelineDefinition, 'features'> & {
  readonly late: Pick<PipelineDefinition['late'], 'allowedMs'>
}): number {
  return Math.max(0, ...features.map(reachOf)) + late.allowedMs
}

/** The older edge of a tail moves in steps: it may be a whole step behind where it should be. */
const reachOf = (feature: FeatureDefinition): number =>
  feature.kind === 'window' ? feature.windowMs + feature.delayMs + feature.tailMs : 0

/** Broker time and event time may differ by as much. */
export const clockSlackMs = ({ validate }: Pick<PipelineDefinition, 'validate'>): number =>
  Math.max(HOUR_MS, validate.futureMaxMs)

/**
 * Broker time, counted back from where lanes go on, from which on a restore needs the topics, ms.
 */
export const neededLookBackMs = (definition: PipelineDefinition): number =>
  longestReachMs(definition) + clockSlackMs(definition)

/**
 * What a restore would like to read: all that a log can hold, so that silent entities keep their
 * ordinals.
 */
export const wantedLookBackMs = (definition: PipelineDefinition): number =>
  Math.max(neededLookBackMs(definition), definition.store.retentionMs + clockSlackMs(definition))

/**
 * Lanes go on where they stopped: so long may no scorer run, and nothing that is needed is gone.
 */
const STANDSTILL_MS = 7 * DAY_MS
/** Of a pipeline that looks back less, or that is not known. */
export const JOURNAL_RETENTION_MS_MIN = 45 * DAY_MS

/** For topics that are created and that lost state is read from again, in whole days, ms. */
export function journalRetentionMs(definition: PipelineDefinition): number {
  const days = Math.ceil((wantedLookBackMs(definition) + STANDSTILL_MS) / DAY_MS)
  return Math.max(JOURNAL_RETENTION_MS_MIN, days * DAY_MS)
}
