// Every section of a pipeline file but the features, read with its defaults.
//
// Comes in: the sound part of the file. Goes out: the sections as the definition has them,
// durations in milliseconds. Nothing is refused here; pipeline-rules.ts looks at what was read.
// Invariant: the defaults stand in `defaults` and nowhere else; docs/reference/pipeline-file.md is
// proved against it.

import { resolve } from 'node:path'
import { currencyFieldOf, moneyFieldOf } from '../../core/input-mapping.ts'
import {
  type EntityDefinition,
  type ExecutionPolicy,
  type ListRule,
  type ModelReference,
  mlflowSource,
  type PipelineDefinition,
  type PolicyDefinition,
  type RemoteExecution,
  type TopicNames,
} from '../../core/pipeline-definition.ts'
import type { RolloutRules } from '../../core/rollout-rules.ts'
import { parseDuration } from './duration.ts'
import type { SoundValue } from './sound-value.ts'

/** What each key means where the file does not say, as the file would write it. */
export const defaults = {
  topics: {
    transactions: 'transactions',
    labels: 'labels',
    scored: 'transactions.scored',
    alerts: 'fraud.alerts',
    driftSamples: 'drift.samples',
    rejected: 'transactions.rejected',
    late: 'transactions.late',
    driftReports: 'drift.reports',
    modelControl: 'model.control',
    modelAudit: 'model.audit',
    modelComparisons: 'model.comparisons',
  },
  validate: { ageMax: '400d', futureMax: '60s' },
  late: { allowed: '10m', then: 'score_only' },
  align: { maxDrift: '1s', maxWait: '2s' },
  model: { source: 'models/' },
  execution: { providers: ['cpu'], require: false, workers: 1 },
  policy: { flaggedShareMax: 0.05, brakeWindow: 10_000 },
  drift: { sampleShare: 0.01 },
  rollout: {
    alpha: 0.05,
    minEvents: 10_000,
    minTime: '30m',
    maxTime: '1d',
    alertRateMin: 0.8,
    alertRateMax: 1.25,
    scorePsiMax: 0.25,
    rankCorrelationMin: 0.7,
    latencyRatioMax: 3,
    failedShareMax: 0,
    noDataMax: '5m',
  },
  store: { buckets: 16 },
} as const

/** The same for the keys of `execution.remote`. */
export const remoteDefaults = { timeout: '250ms', requestRows: 8192 } as const

/** In the file, a topic that does not exist. */
const noTopic = 'none'

export type Place = {
  /** Put before every topic's name: a run of its own beside others on one broker. */
  readonly topicPrefix: string
  /** What a relative `model.source` is relative to. */
  readonly baseFolder: string
}

export function readTopics(file: SoundValue, { topicPrefix }: Place): TopicNames {
  const written = (key: keyof TopicNames): string =>
    topicPrefix + file.read<string>(['topics', key], defaults.topics[key])
  const labels = file.read<string>(['topics', 'labels'], defaults.topics.labels)
  return {
    transactions: written('transactions'),
    labels: labels === noTopic ? null : written('labels'),
    scored: written('scored'),
    alerts: written('alerts'),
    driftSamples: written('driftSamples'),
    rejected: written('rejected'),
    late: written('late'),
    driftReports: written('driftReports'),
    modelControl: written('modelControl'),
    modelAudit: written('modelAudit'),
    modelComparisons: written('modelComparisons'),
  }
}

export const readEntities = (file: SoundValue): readonly EntityDefinition[] =>
  (file.keysAt(['entities']) ?? []).map((name) => ({
    name,
    key: file.read<readonly string[]>(['entities', name, 'key'], []),
  }))

export function readTimes(
  file: SoundValue,
): Pick<PipelineDefinition, 'validate' | 'late' | 'align'> {
  const ms = (section: 'validate' | 'late' | 'align', key: string, fallback: string): number =>
    parseDuration(file.read([section, key], fallback))
  return {
    validate: {
      ageMaxMs: ms('validate', 'ageMax', defaults.validate.ageMax),
      futureMaxMs: ms('validate', 'futureMax', defaults.validate.futureMax),
    },
    late: {
      allowedMs: ms('late', 'allowed', defaults.late.allowed),
      then: file.read(['late', 'then'], defaults.late.then),
    },
    align: {
      driftMsMax: ms('align', 'maxDrift', defaults.align.maxDrift),
      waitMsMax: ms('align', 'maxWait', defaults.align.maxWait),
    },
  }
}

type WrittenModel = { readonly name?: string; readonly version?: string; readonly source?: string }

/** `model: { name, version }` is short for `model: { champion: { name, version } }`. */
export function readModel(file: SoundValue, { baseFolder }: Place): PipelineDefinition['model'] {
  const source = file.read<string>(['model', 'source'], defaults.model.source)
  const champion = file.read<WrittenModel>(['model', 'champion'], {
    name: file.read(['model', 'name'], ''),
    version: file.read(['model', 'version'], ''),
  })
  const toReference = (written: WrittenModel): ModelReference => ({
    name: written.name ?? champion.name ?? '',
    version: written.version ?? '',
    source: toSource(written.source ?? champion.source ?? source, baseFolder),
  })
  const challengers = file.read<readonly WrittenModel[]>(['model', 'challengers'], [])
  return { champion: toReference(champion), challengers: challengers.map(toReference) }
}

/** A folder of that name is written `./mlflow`. */
const toSource = (source: string, baseFolder: string): string =>
  source === mlflowSource ? source : resolve(baseFolder, source)

export const readExecution = (file: SoundValue): ExecutionPolicy => ({
  providers: [
    ...file.read<ExecutionPolicy['providers']>(
      ['execution', 'providers'],
      defaults.execution.providers,
    ),
  ],
  isRequired: file.read<boolean>(['execution', 'require'], defaults.execution.require),
  workers: file.read<number>(['execution', 'workers'], defaults.execution.workers),
  ...(file.keysAt(['execution', 'remote']) === null ? {} : { remote: readRemote(file) }),
})

function readRemote(file: SoundValue): RemoteExecution {
  const fallback = remoteDefaults
  return {
    model: file.read<string | null>(['execution', 'remote', 'model'], null),
    version: file.read<string | null>(['execution', 'remote', 'version'], null),
    timeoutMs: parseDuration(file.read(['execution', 'remote', 'timeout'], fallback.timeout)),
    requestRowsMax: file.read(['execution', 'remote', 'requestRows'], fallback.requestRows),
  }
}

/** By default what an alert cannot do without: how much it is about. */
export function readOutput(
  file: SoundValue,
  { transactions }: PipelineDefinition['input'],
): PipelineDefinition['output'] {
  const money = moneyFieldOf(transactions)
  const currency = currencyFieldOf(transactions)
  const usual = [money?.name, currency].filter((name) => name !== undefined && name !== null)
  return { carry: file.read<readonly string[]>(['output', 'carry'], usual) }
}

export const readPolicy = (file: SoundValue): PolicyDefinition => ({
  review: file.read(['policy', 'review'], 0),
  block: file.read(['policy', 'block'], 1),
  flaggedShareMax: file.read<number>(
    ['policy', 'flaggedShareMax'],
    defaults.policy.flaggedShareMax,
  ),
  brakeWindowEvents: file.read<number>(['policy', 'brakeWindow'], defaults.policy.brakeWindow),
  deny: readLists(file, 'deny'),
  allow: readLists(file, 'allow'),
})

export function readRollout(file: SoundValue): RolloutRules {
  const read = <K extends keyof typeof defaults.rollout>(key: K) =>
    file.read<(typeof defaults.rollout)[K]>(['rollout', key], defaults.rollout[key])
  return {
    alpha: read('alpha'),
    eventsMin: read('minEvents'),
    stepMsMin: parseDuration(read('minTime')),
    stepMsMax: parseDuration(read('maxTime')),
    alertRateMin: read('alertRateMin'),
    alertRateMax: read('alertRateMax'),
    scorePsiMax: read('scorePsiMax'),
    rankCorrelationMin: read('rankCorrelationMin'),
    latencyRatioMax: read('latencyRatioMax'),
    failedShareMax: read('failedShareMax'),
    noDataMs: parseDuration(read('noDataMax')),
  }
}

const readLists = (file: SoundValue, list: 'deny' | 'allow'): readonly ListRule[] =>
  (file.keysAt(['policy', list]) ?? []).map((entity) => ({
    entity,
    keys: file.read<readonly string[]>(['policy', list, entity], []),
  }))
