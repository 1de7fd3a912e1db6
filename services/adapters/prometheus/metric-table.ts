// Every metric that Weir exports, as data: name, type, unit, help, labels with their closed sets.
//
// In: the closed sets of the pipeline (stages, streams, codes). Out: `metricTable`, from which
// metrics.ts makes the prom-client objects and against which docs/reference/metrics.md is proved.
// Invariants: a name is weir_<what>_<unit>, counters end in _total; a label is either one of the
// listed values or bounded by configuration, and never a customer, terminal or transaction.

import { type ErrorCode, errorTable } from '../../core/errors.ts'
import { latenessBuckets } from '../../pipeline/observe/lateness-buckets.ts'
import { modelOrigins, stages, systems } from '../../pipeline/observe/signals.ts'
import { streams } from '../../pipeline/records.ts'

export type LabelSet =
  | {
      readonly kind: 'one_of'
      readonly values: readonly string[]
      /** What the reference page says instead of a list that is too long. */
      readonly shownAs?: string
    }
  /** Open by nature, but with a ceiling that stands in configuration. */
  | { readonly kind: 'bounded'; readonly by: string }

type Labels = Readonly<Record<string, LabelSet>>

export type MetricRow = {
  readonly type: 'counter' | 'gauge' | 'histogram'
  readonly unit: string
  readonly help: string
  readonly labels: Labels
  /** Upper bounds of a histogram, in its unit; empty otherwise. */
  readonly buckets: readonly number[]
}

type Row<T extends MetricRow['type'], L extends Labels> = MetricRow & {
  readonly type: T
  readonly labels: L
}

const noLabels = {} as const

function counter<const L extends Labels = typeof noLabels>(unit: string, help: string, labels?: L) {
  const row: MetricRow = { type: 'counter', unit, help, labels: labels ?? noLabels, buckets: [] }
  return row as Row<'counter', L>
}

function gauge<const L extends Labels = typeof noLabels>(unit: string, help: string, labels?: L) {
  const row: MetricRow = { type: 'gauge', unit, help, labels: labels ?? noLabels, buckets: [] }
  return row as Row<'gauge', L>
}

type HistogramOptions<L> = { readonly buckets: readonly number[]; readonly labels?: L }

function histogram<const L extends Labels = typeof noLabels>(
  unit: string,
  help: string,
  options: HistogramOptions<L>,
) {
  const { buckets, labels = noLabels } = options
  const row: MetricRow = { type: 'histogram', unit, help, labels, buckets }
  return row as Row<'histogram', L>
}

const oneOf = <const V extends readonly string[]>(values: V) =>
  ({ kind: 'one_of', values }) as const
const boundedBy = (by: string) => ({ kind: 'bounded', by }) as const

const errorCodes = Object.keys(errorTable) as ErrorCode[]
const anyCode = { ...oneOf(errorCodes), shownAs: 'codes of errors.md' } as const
export const rejectionCodes = errorCodes.filter((code) => errorTable[code].kind === 'bad_data')

/** What a retry may have been about; anything else is counted as `other` and named in the log. */
export const operations = [
  'start',
  'claim',
  'learn_schema',
  'confirm',
  'advance',
  'touch',
  'restore',
  'load_model',
  'load_roster',
  'follow_roster',
  'start_model_worker',
  'examine_server',
  'send_offsets',
  'commit',
  'other',
] as const

const flagDecisions = ['review', 'block'] as const
export const delayQuantiles = ['0.5', '0.99', '1'] as const
export const remoteCodes = ['WEIR_CLASSIFY_REMOTE_AWAY', 'WEIR_CLASSIFY_REMOTE_WRONG'] as const
export const modelRoles = ['champion', 'challenger'] as const
const trialStages = ['shadow', 'canary'] as const
export const verdicts = ['advance', 'wait', 'pause', 'roll_back'] as const
export const comparedOutcomes = [
  'unflagged',
  'flagged_by_both',
  'flagged_by_challenger',
  'flagged_by_champion',
  'failed',
] as const
export const runSpeeds = ['within', 'slow'] as const
export const rolloutActions = ['canary', 'promote', 'rollback', 'unshadow'] as const

/** Bounds of the latency that users feel; close together around the goals of 25 and 60 ms. */
export const latencyBoundsMs = [
  1, 2, 5, 10, 15, 20, 25, 30, 40, 50, 60, 80, 100, 150, 200, 300, 500, 1000, 2000, 5000, 10_000,
  30_000, 60_000, 300_000, 3_600_000,
] as const

const batchSeconds = [
  0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10,
]
const batchEvents = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 1500, 2000]
const batchBytes = [1024, 4096, 16_384, 65_536, 131_072, 262_144, 524_288, 1_048_576, 2_097_152]

const stream = oneOf(streams)
const stage = oneOf(stages)
const partition = boundedBy('partitions of the topic')
const configured = boundedBy('models in the pipeline file')
const onTrial = boundedBy('the challenger on trial')
const build = boundedBy('one value per process')

export const metricTable = {
  weir_received_events_total: counter(
    'events',
    'Events taken in, redeliveries included; minus abandoned it equals all outcomes plus in flight.',
    { stream },
  ),
  weir_abandoned_events_total: counter(
    'events',
    'Events given up before their commit and read again; the other half of every redelivery.',
    { stream },
  ),
  weir_scored_events_total: counter('events', 'Transactions scored and committed.'),
  weir_applied_labels_total: counter('labels', 'Labels applied to the entity logs and committed.'),
  weir_rejected_events_total: counter(
    'events',
    'Events committed to the rejected topic, with the code that they carry there.',
    { stream, code: { ...oneOf(rejectionCodes), shownAs: 'bad data codes of errors.md' } },
  ),
  weir_diverted_events_total: counter(
    'events',
    'Transactions later than late.allowed, committed to the late topic.',
  ),
  weir_skipped_events_total: counter(
    'events',
    'Messages that `where` did not pick, and labels without a verdict: committed, not published.',
  ),
  weir_flagged_events_total: counter('events', 'Scored transactions by the decision that flags.', {
    decision: oneOf(flagDecisions),
  }),
  weir_braked_events_total: counter(
    'events',
    'Scored transactions whose flag was withheld by policy.flaggedShareMax.',
  ),
  weir_flagged_share_ratio: gauge(
    'ratio',
    'Share of flagged events at which the brake last closed; 0 where it never did.',
    { partition },
  ),
  weir_drift_sampled_events_total: counter('events', 'Vectors committed to the drift samples.'),
  weir_in_flight_events: gauge('events', 'Events received and not yet committed or abandoned.', {
    stream,
  }),
  weir_conservation_difference_events: gauge(
    'events',
    'received - abandoned - scored - labels - rejected - diverted - in flight. Must be 0.',
    { stream },
  ),
  weir_lateness_events_total: counter(
    'events',
    "Events by how far they lag the lane's highest event time; buckets are not cumulative.",
    { bucket: oneOf(latenessBuckets) },
  ),

  weir_stage_duration_seconds: histogram('seconds', 'Time one batch spends in a stage.', {
    buckets: batchSeconds,
    labels: { stage },
  }),
  weir_stage_batch_events: histogram('events', 'Events that entered a stage with one batch.', {
    buckets: batchEvents,
    labels: { stage },
  }),
  weir_stage_refused_events_total: counter(
    'events',
    'Events that did not pass a stage: rejected, diverted or, in publish, not committed.',
    { stage },
  ),
  weir_batch_events: histogram('events', 'Events of one micro-batch, all its lanes together.', {
    buckets: batchEvents,
  }),
  weir_batch_bytes: histogram('bytes', 'Input bytes of one micro-batch.', { buckets: batchBytes }),
  weir_batch_lanes: histogram('lanes', 'Lanes that share one micro-batch.', {
    buckets: [1, 2, 4, 8, 16, 32, 64],
  }),
  weir_batch_duration_seconds: histogram('seconds', 'A micro-batch from merge to last commit.', {
    buckets: batchSeconds,
  }),
  weir_end_to_end_latency_seconds: histogram(
    'seconds',
    "Broker's append time of an event to its commit; a batch's events are spread evenly between its newest and its oldest.",
    { buckets: latencyBoundsMs.map((ms) => ms / 1000) },
  ),

  weir_lag_events: gauge('events', 'High watermark minus committed offset of an owned lane.', {
    stream,
    partition,
  }),
  weir_owned_lanes: gauge('lanes', 'Lanes this process owns.', { stream }),
  weir_claimed_lanes_total: counter('lanes', 'Lanes claimed: fenced, positioned and started.', {
    stream,
  }),
  weir_released_lanes_total: counter('lanes', 'Lanes given back; the log says why.', { stream }),
  weir_lane_claim_duration_seconds: histogram(
    'seconds',
    'Assignment of a lane to its first fetch.',
    {
      buckets: batchSeconds,
    },
  ),
  weir_group_rebalances_total: counter('rebalances', 'Rebalances of the consumer group seen here.'),
  weir_alignment_wait_duration_seconds: histogram(
    'seconds',
    'Waiting for slower lanes, so that windows see events in order of event time.',
    { buckets: batchSeconds },
  ),
  weir_alignment_abandoned_waits_total: counter(
    'waits',
    'Alignment waits that ended at align.maxWait: features from then on may miss events.',
  ),
  weir_retried_operations_total: counter('operations', 'Attempts made again, by what failed.', {
    operation: oneOf(operations),
    code: anyCode,
  }),
  weir_lost_lane_memories_total: counter(
    'memories',
    'Lanes claimed whose memory beside the committed offset could not be read.',
  ),
  weir_recreated_producers_total: counter(
    'producers',
    'Transactional producers thrown away because an outcome was in doubt.',
  ),

  weir_store_round_trip_duration_seconds: histogram(
    'seconds',
    'One round trip to the feature store; its count is the number of round trips.',
    { buckets: batchSeconds },
  ),
  weir_store_sent_bytes_total: counter('bytes', 'Bytes sent to the feature store.'),
  weir_store_received_bytes_total: counter('bytes', 'Bytes received from the feature store.'),
  weir_store_advanced_logs_total: counter(
    'logs',
    'Entity logs advanced, hits and misses together.',
  ),
  weir_store_cache_hit_logs_total: counter(
    'logs',
    'Entity logs that were cached and still current.',
  ),
  weir_store_cache_missed_logs_total: counter('logs', 'Entity logs read from the store.'),
  weir_store_redelivered_events_total: counter(
    'events',
    'Events that were in the log already and kept their ordinal and vector.',
  ),
  weir_store_folded_logs_total: counter(
    'logs',
    'Entity logs whose oldest records were folded into tiles or dropped.',
  ),
  weir_store_restores_total: counter(
    'restores',
    'Times that state which the store had lost was put back from the topics.',
  ),
  weir_store_restored_logs_total: counter('logs', 'Entity logs put back from the topics.'),
  weir_store_restore_duration_seconds: histogram(
    'seconds',
    'Putting lost state back, from the first look to the last log.',
    { buckets: [0.1, 0.5, 1, 5, 10, 60, 300, 1800] },
  ),
  weir_store_cached_logs: gauge('logs', 'Entity logs in the cache.'),
  weir_store_cached_bytes: gauge('bytes', 'Bytes of entity logs in the cache.'),

  weir_model_loaded_info: gauge('info', 'The models in use: 1 for each.', {
    name: configured,
    version: configured,
    role: oneOf(modelRoles),
    provider: configured,
    sha256: configured,
  }),
  weir_model_fetches_total: counter(
    'fetches',
    'Models put into a folder here from a registry: downloaded, cached, cached while it was away.',
    { from: oneOf(modelOrigins) },
  ),
  weir_model_registry_failures_total: counter(
    'failures',
    'Times the model registry was given up after all attempts.',
  ),
  weir_model_load_duration_seconds: histogram(
    'seconds',
    'Load, warm-up and golden check of a model.',
    {
      buckets: [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60],
    },
  ),
  weir_roster_epoch: gauge('epoch', 'Epoch of the roster in force; 0 = the pipeline file.'),
  weir_challenger_failed_events_total: counter(
    'events',
    'Events without a score of some challenger; the champion decided.',
  ),
  weir_applied_rosters_total: counter('rosters', 'Rosters that came into force.'),
  weir_refused_rosters_total: counter('rosters', 'Rosters refused; the one before went on.'),
  weir_model_run_duration_seconds: histogram('seconds', 'Classifying one batch, all models.', {
    buckets: batchSeconds,
  }),
  weir_model_run_rows: histogram('rows', 'Rows of one classification, without the reason rows.', {
    buckets: batchEvents,
  }),
  weir_model_reason_rows_total: counter(
    'rows',
    'Extra rows scored to explain flagged events; a rise costs classification time.',
  ),

  weir_remote_run_duration_seconds: histogram(
    'seconds',
    'Classifying one batch at the inference server, reasons included.',
    { buckets: batchSeconds },
  ),
  weir_remote_scored_events_total: counter('events', 'Events scored at the inference server.'),
  weir_degraded_events_total: counter(
    'events',
    'Events scored by the local model in place of the inference server.',
    { code: oneOf(remoteCodes) },
  ),

  weir_rollout_trial_info: gauge('info', 'The challenger on trial: 1, with its stage.', {
    name: onTrial,
    version: onTrial,
    champion_version: onTrial,
    stage: oneOf(trialStages),
  }),
  weir_rollout_verdict_info: gauge('info', 'The verdict of the moment: 1, the others 0.', {
    verdict: oneOf(verdicts),
  }),
  weir_rollout_share_ratio: gauge('ratio', 'Customers that the challenger decides for.', {
    name: onTrial,
    version: onTrial,
  }),
  weir_rollout_compared_events: gauge('events', 'Events of the trial, by what both said of them.', {
    outcome: oneOf(comparedOutcomes),
  }),
  weir_rollout_compared_runs: gauge('runs', 'Runs of the trial, by rollout.latencyRatioMax.', {
    speed: oneOf(runSpeeds),
  }),
  weir_rollout_missed_frauds: gauge('frauds', 'Known frauds that one model alone flagged.', {
    flagged_by: oneOf(modelRoles),
  }),
  weir_rollout_changes_total: counter('changes', 'Rosters that this process has made.', {
    action: oneOf(rolloutActions),
  }),

  weir_connection_up: gauge('up', '1 while the system answers, 0 while it does not.', {
    system: oneOf(systems),
  }),
  weir_lost_connections_total: counter('connections', 'Times a system went from up to down.', {
    system: oneOf(systems),
  }),
  weir_process_failures_total: counter(
    'failures',
    'Failures that end the process or need a human.',
    {
      code: anyCode,
    },
  ),
  weir_event_loop_utilization_ratio: gauge(
    'ratio',
    'Share of time the main thread was busy since the last scrape.',
  ),
  weir_event_loop_delay_seconds: gauge(
    'seconds',
    'Delay of the main thread since the last scrape; quantile 1 is the worst.',
    { quantile: oneOf(delayQuantiles) },
  ),
  weir_build_info: gauge('info', 'What runs here: always 1.', {
    version: build,
    commit: build,
    node: build,
    pipeline: build,
    pipeline_hash: build,
  }),
} as const

export type MetricTable = typeof metricTable
export type MetricName = keyof MetricTable
