// The topics as data: names, prefix and sizes in, the plan of every topic and its subject out.
//
// Everything that `weir topics` creates, checks and documents comes from the one table below;
// docs/reference/topics.md is generated from it. A name says which role a topic has; the settings
// of a role are not configurable per pipeline, except for partitions and replication. Refused:
// partition or replica counts below 1. Invariant: every topic of a role is keyed and laid out the
// same way in every pipeline, so that a consumer of one knows all.

import { WeirError } from '../../../core/errors.ts'
import { JOURNAL_RETENTION_MS_MIN, journalRetentionMs } from '../../../core/look-back.ts'
import type { PipelineDefinition, TopicNames } from '../../../core/pipeline-definition.ts'
import type { SchemaFile } from '../../registry/schema-files.ts'
import type { CompatibilityLevel } from '../../registry/schema-registry.ts'

export type TopicRole = keyof TopicNames

type TopicShape = {
  readonly defaultName: string
  /** What the message key holds: it chooses the partition of inputs. */
  readonly key: string
  readonly madeBy: string
  readonly schema: SchemaFile
  readonly compatibility: CompatibilityLevel
  /** Whether it has as many partitions as the inputs; otherwise one. */
  readonly hasLanes: boolean
  /** Whether what is lost is put back from it, so that it has to be kept as long as is planned. */
  readonly isReadBack: boolean
  /** Without `retention.ms` where that is as long as the pipeline looks back: core/look-back.ts. */
  readonly config: Readonly<Record<string, string>>
}

export type TopicOverrides = {
  /** Names from a pipeline file; a null leaves the role out. */
  readonly names?: Partial<TopicNames>
  /** Put before every name. */
  readonly prefix?: string
  /**
   * Of the topics that state is put back from; as for a pipeline that is not known unless given.
   */
  readonly journalRetentionMs?: number
  /** Inputs whose messages are not those of schemas/: their subjects are their producers'. */
  readonly foreign?: readonly TopicRole[]
  readonly partitions?: number
  readonly replication?: number
}

export type PlannedTopic = {
  readonly role: TopicRole
  readonly topic: string
  readonly schema: SchemaFile
  /** Somebody else says what is in it: no schema is compared, and no level. */
  readonly isForeign: boolean
  readonly compatibility: CompatibilityLevel
  readonly isReadBack: boolean
  readonly partitions: number
  readonly replication: number
  readonly config: Readonly<Record<string, string>>
}

const defaultPartitions = 4
const defaultReplication = 1

const dayMs = 86_400_000
const mib = (count: number): string => String(count * 1024 * 1024)

// Inputs are stamped by the broker, because the clock of validate and the lateness of labels have
// to be the broker's own. Batches stay compressed as their producer chose. A value of 1 MiB, the
// producers' usual limit, has to fit with what surrounds it.
const input = {
  'cleanup.policy': 'delete',
  'retention.bytes': '-1',
  'compression.type': 'producer',
  'message.timestamp.type': 'LogAppendTime',
  'max.message.bytes': mib(2),
}
// One micro-batch is one record batch per output partition: events with wide vectors, as many as
// lanes/batch-size.ts allows, or the originals of rejected events of 1 MiB each, have to fit.
const written = {
  'cleanup.policy': 'delete',
  'compression.type': 'producer',
  'message.timestamp.type': 'CreateTime',
  'max.message.bytes': mib(8),
}
const output = (days: number) => ({ ...written, 'retention.ms': String(days * dayMs) })
// Few and small, and kept for ever: the latest roster of every pipeline, and the way that led to
// it.
const kept = (policy: 'compact' | 'delete') => ({
  'cleanup.policy': policy,
  'retention.ms': '-1',
  'compression.type': 'producer',
  'message.timestamp.type': 'CreateTime',
  'max.message.bytes': mib(1),
})

export const topicShapes: Readonly<Record<TopicRole, TopicShape>> = {
  transactions: {
    defaultName: 'transactions',
    key: 'customerId',
    madeBy: 'producers',
    schema: 'transaction',
    compatibility: 'FULL_TRANSITIVE',
    hasLanes: true,
    isReadBack: true,
    config: input,
  },
  labels: {
    defaultName: 'labels',
    key: 'customerId',
    madeBy: 'case tools',
    schema: 'label',
    compatibility: 'FULL_TRANSITIVE',
    hasLanes: true,
    isReadBack: true,
    config: input,
  },
  scored: {
    defaultName: 'transactions.scored',
    key: "as the transaction's",
    madeBy: 'scorer',
    schema: 'scored-transaction',
    compatibility: 'FULL',
    hasLanes: true,
    isReadBack: true,
    // The journal of the logs' order: what Redis loses is put back from it and the inputs.
    config: { ...written, 'retention.bytes': '-1' },
  },
  alerts: {
    defaultName: 'fraud.alerts',
    key: "as the transaction's",
    madeBy: 'scorer',
    schema: 'fraud-alert',
    compatibility: 'FULL',
    hasLanes: true,
    isReadBack: false,
    config: output(30),
  },
  driftSamples: {
    defaultName: 'drift.samples',
    key: "as the transaction's",
    madeBy: 'scorer',
    schema: 'drift-sample',
    compatibility: 'FULL',
    hasLanes: true,
    isReadBack: false,
    config: output(14),
  },
  rejected: {
    defaultName: 'transactions.rejected',
    key: 'original key',
    madeBy: 'scorer',
    schema: 'rejected-transaction',
    compatibility: 'FULL',
    hasLanes: true,
    // Part of the journal: events that were counted and then set aside say here where they stand.
    isReadBack: true,
    config: output(45),
  },
  late: {
    defaultName: 'transactions.late',
    key: 'original key',
    madeBy: 'scorer',
    schema: 'late-transaction',
    compatibility: 'FULL',
    hasLanes: true,
    isReadBack: false,
    config: output(30),
  },
  driftReports: {
    defaultName: 'drift.reports',
    key: 'model',
    madeBy: 'drift',
    schema: 'drift-report',
    compatibility: 'FULL',
    hasLanes: false,
    isReadBack: false,
    config: output(90),
  },
  modelControl: {
    defaultName: 'model.control',
    key: 'pipeline',
    madeBy: 'weir models',
    schema: 'model-control',
    compatibility: 'FULL',
    hasLanes: false,
    isReadBack: true,
    config: kept('compact'),
  },
  modelAudit: {
    defaultName: 'model.audit',
    key: 'pipeline',
    madeBy: 'weir models',
    schema: 'model-audit',
    compatibility: 'FULL',
    hasLanes: false,
    isReadBack: true,
    config: kept('delete'),
  },
  modelComparisons: {
    defaultName: 'model.comparisons',
    key: 'challenger: name, version',
    madeBy: 'weir rollout',
    schema: 'model-comparison',
    compatibility: 'FULL',
    hasLanes: false,
    isReadBack: false,
    config: output(90),
  },
}

/** What a pipeline file says of its topics. */
export const topicsOf = (definition: PipelineDefinition) => ({
  names: definition.topics,
  foreign: (['transactions', 'labels'] as const).filter(
    (role) => definition.input[role].isDeclared,
  ),
  journalRetentionMs: journalRetentionMs(definition),
})

export const topicRoles = Object.keys(topicShapes) as TopicRole[]

export function topicPlan(overrides: TopicOverrides = {}): readonly PlannedTopic[] {
  const partitions = atLeastOne('partitions', overrides.partitions ?? defaultPartitions)
  const replication = atLeastOne('replication', overrides.replication ?? defaultReplication)
  // With three replicas one may be away while acknowledged events are still on two.
  const replicasInSync = Math.max(1, replication - 1)
  return topicRoles.flatMap((role) => {
    const shape = topicShapes[role]
    const given = overrides.names?.[role]
    if (given === null) return []
    return {
      role,
      topic: (overrides.prefix ?? '') + (given ?? shape.defaultName),
      schema: shape.schema,
      isForeign: overrides.foreign?.includes(role) ?? false,
      compatibility: shape.compatibility,
      isReadBack: shape.isReadBack,
      partitions: shape.hasLanes ? partitions : 1,
      replication,
      config: {
        'retention.ms': String(overrides.journalRetentionMs ?? JOURNAL_RETENTION_MS_MIN),
        ...shape.config,
        'min.insync.replicas': String(replicasInSync),
      },
    }
  })
}

function atLeastOne(name: string, count: number): number {
  if (Number.isSafeInteger(count) && count >= 1) return count
  const detail = `Found --${name} ${count}, expected a whole number from 1.`
  throw new WeirError('WEIR_SETTINGS_INVALID', detail)
}
