// Where brokers and registry differ from the plan, as data, and what is to be done about each.
//
// In: the plan and what was found. Out: one TopicDifference per setting that matters. Pure: it asks
// nothing and changes nothing. Whose a topic is decides what apply may do:
//
//   missing, and nothing registered     Weir makes it
//   an output whose subject holds the role's own record, or has no schema while the topic itself
//   carries each setting that apply gives     Weir's: what is too little is raised, the schema follows
//   an input that is there, and whatever is in doubt        its owner's: told, with the command
//
// Invariant: `change` never makes anything smaller, shorter, looser or less compatible.

import {
  isAsStrict,
  recordNameOf,
  whyIncompatible,
  whyUnreadable,
} from '../../registry/schema-compatibility.ts'
import { readSchema } from '../../registry/schema-files.ts'
import { subjectOf } from '../../registry/schema-registry.ts'
import type { Found, FoundSubject, FoundTopic } from './found-topics.ts'
import { type Addresses, ownerCommands } from './owner-commands.ts'
import { isInput, settingRules } from './topic-rules.ts'
import type { PlannedTopic } from './topics.ts'

export type TopicDifference = {
  readonly topic: string
  readonly kind: 'topic' | 'partitions' | 'replication' | 'config' | 'compatibility' | 'schema'
  /** Which setting differs: a topic configuration's name, or the kind. */
  readonly setting: string
  readonly found: string
  readonly planned: string
  /** What apply does: make, change, leave it to its owner, or refuse everything because of it. */
  readonly action: 'make' | 'change' | 'leave' | 'refuse'
  /** Why it is left or refused; null = it is not. */
  readonly reason: string | null
  /** What its owner would run; null where nothing is left to an owner. */
  readonly command: string | null
}

type JudgeOptions = {
  readonly addresses: Addresses
  readonly mayAddPartitions: boolean
}

type Case = JudgeOptions & {
  readonly planned: PlannedTopic
  readonly topic: FoundTopic | undefined
  readonly subject: FoundSubject
  readonly isWeirs: boolean
}

export function compareAll(
  plan: readonly PlannedTopic[],
  found: Found,
  options: JudgeOptions,
): TopicDifference[] {
  const own = plan.flatMap((planned) => {
    const topic = found.topics.get(planned.topic)
    const subject = found.subjects.get(planned.topic)!
    const isWeirs = isMadeByWeir(planned, topic, subject)
    const one: Case = { ...options, planned, topic, subject, isWeirs }
    return [...compareTopic(one), ...compareLevel(one), ...compareSchema(one)]
  })
  return [...own, ...refuseNarrow(plan, found)]
}

/** By every release of Weir to every topic that it has made. */
const alwaysGiven = [
  'cleanup.policy',
  'retention.ms',
  'compression.type',
  'message.timestamp.type',
  'max.message.bytes',
  'min.insync.replicas',
]

function isMadeByWeir(
  { role, schema }: PlannedTopic,
  topic: FoundTopic | undefined,
  { latest }: FoundSubject,
): boolean {
  if (topic === undefined && latest === null) return true
  if (isInput(role)) return false
  if (latest !== null) return recordNameOf(latest.schemaText) === recordNameOf(readSchema(schema))
  // The registry has forgotten it: others hardly set all of these on the topic itself.
  return alwaysGiven.every((setting) => topic!.config.own.has(setting))
}

function compareTopic(one: Case): TopicDifference[] {
  const { planned, topic } = one
  if (topic !== undefined) {
    return [...comparePartitions(one, topic), ...compareReplicas(one, topic)].concat(
      Object.entries(planned.config).flatMap((setting) => compareSetting(one, topic, setting)),
    )
  }
  const size = `${planned.partitions} partitions, ${planned.replication} replicas`
  return [difference(one, 'topic', ['topic', 'none', size], { action: 'make' })]
}

function comparePartitions(one: Case, { partitions: found }: FoundTopic): TopicDifference[] {
  const { planned, isWeirs, mayAddPartitions, addresses } = one
  const { partitions, topic } = planned
  if (found === partitions) return []
  const tell = (outcome: Outcome) => [
    difference(one, 'partitions', ['partitions', String(found), String(partitions)], outcome),
  ]
  // Of an input any number will do: outputs follow it, see refuseNarrow.
  if (isInput(planned.role) && found > partitions) return []
  if (isWeirs && found > partitions) {
    const reason = `Kafka cannot take partitions away: set --partitions ${found}.`
    return tell({ action: 'refuse', reason })
  }
  const moves =
    "More partitions move keys to other lanes, where a customer's events may overtake each other"
  if (!isWeirs) {
    const command = ownerCommands.partitions(addresses, topic, partitions)
    return tell({ action: 'leave', reason: `${moves}.`, command })
  }
  if (mayAddPartitions) return tell({ action: 'change' })
  const way = `set --partitions ${found}, or add them with --add-partitions when no event is waiting.`
  return tell({ action: 'refuse', reason: `${moves}: ${way}` })
}

function compareReplicas(one: Case, { replication: found }: FoundTopic): TopicDifference[] {
  const { replication } = one.planned
  if (found >= replication) return []
  const reason = 'Replicas are moved with kafka-reassign-partitions, or set --replication.'
  const action = one.isWeirs ? 'refuse' : 'leave'
  const values = ['replication', String(found), String(replication)] as const
  return [difference(one, 'replication', values, { action, reason })]
}

function compareSetting(
  one: Case,
  topic: FoundTopic,
  [setting, value]: readonly [string, string],
): TopicDifference[] {
  const rule = settingRules[setting]
  if (rule === undefined || !rule.isNeededBy(one.planned)) return []
  const found = topic.config.all.get(setting)
  if (found !== undefined && rule.isEnough(found, value)) return []
  const values = [setting, found ?? 'not shown', value] as const
  if (one.isWeirs && rule.isMended && found !== undefined) {
    return [difference(one, 'config', values, { action: 'change' })]
  }
  const command = ownerCommands.config(one.addresses, one.planned.topic, setting, value)
  return [difference(one, 'config', values, { action: 'leave', reason: rule.reason, command })]
}

function compareLevel(one: Case): TopicDifference[] {
  const { planned, subject, isWeirs, addresses } = one
  if (planned.isForeign) return []
  const { level } = subject
  const { compatibility: wanted } = planned
  if (isAsStrict(level, wanted)) return []
  const values = ['compatibility', level ?? 'none of its own', wanted] as const
  // Neither of two levels may be the stricter one: then its owner has chosen.
  if (isWeirs && isAsStrict(wanted, level ?? 'NONE')) {
    return [
      difference(one, 'compatibility', values, { action: level === null ? 'make' : 'change' }),
    ]
  }
  const reason = 'Without it a schema may be registered that readers or this scorer cannot read.'
  const command = ownerCommands.level(addresses, subjectOf(planned.topic), wanted)
  return [difference(one, 'compatibility', values, { action: 'leave', reason, command })]
}

function compareSchema(one: Case): TopicDifference[] {
  const { planned, subject, isWeirs } = one
  const { latest, isRegistered } = subject
  if (isRegistered || planned.isForeign) return []
  const found = latest === null ? 'none' : `version ${latest.version}, another schema`
  const values = ['schema', found, `${planned.schema}.avsc`] as const
  const tell = (outcome: Outcome) => [difference(one, 'schema', values, outcome)]
  if (!isWeirs) return leaveSchema(one, tell)
  if (latest === null) return tell({ action: 'make' })
  const schemaText = readSchema(planned.schema)
  const reason =
    whyIncompatible(planned.compatibility, { schemaText, earlierText: latest.schemaText }) ??
    (subject.isCompatible ? null : 'the registry calls it incompatible with what it has')
  if (reason === null) return tell({ action: 'change' })
  return tell({
    action: 'refuse',
    reason: `Incompatible with version ${latest.version}: ${reason}.`,
  })
}

function leaveSchema(
  { planned, subject: { latest }, addresses }: Case,
  tell: (outcome: Outcome) => TopicDifference[],
): TopicDifference[] {
  const command = ownerCommands.schema(addresses, subjectOf(planned.topic), planned.schema)
  if (latest === null) {
    const reason = 'The topic was there before its subject: whoever made it says what is in it.'
    return tell({ action: 'leave', reason, command })
  }
  const schemaText = readSchema(planned.schema)
  if (isInput(planned.role)) {
    // A producer's own schema is as good, as long as it can be read.
    const unread = whyUnreadable(schemaText, latest.schemaText)
    if (unread === null) return []
    const reason = `Events of version ${latest.version} cannot be read: ${unread}.`
    return tell({ action: 'leave', reason, command })
  }
  const [held, own] = [recordNameOf(latest.schemaText), recordNameOf(schemaText)]
  const reason =
    `${subjectOf(planned.topic)} holds ${held ?? 'no record'}, not ${own}: the topic is somebody ` +
    "else's. Give this output another name (`topics:` of the pipeline file, or --prefix)."
  return tell({ action: 'refuse', reason })
}

/** Outputs that are still to be made would be narrower than the input that is there. */
function refuseNarrow(plan: readonly PlannedTopic[], { topics }: Found): TopicDifference[] {
  const input = plan.find(({ role }) => role === 'transactions')
  if (input === undefined) return []
  const lanes = topics.get(input.topic)?.partitions ?? 0
  const isNarrow = plan.some(
    ({ role, topic, partitions }) =>
      partitions === input.partitions && !isInput(role) && !topics.has(topic),
  )
  if (lanes <= input.partitions || !isNarrow) return []
  const values = { found: String(lanes), planned: String(input.partitions) }
  const reason = `A lane writes to the partition of its own number: set --partitions ${lanes}.`
  const facts = { topic: input.topic, kind: 'partitions', setting: 'partitions' } as const
  return [{ ...facts, ...values, action: 'refuse', reason, command: null }]
}

type Outcome = Pick<TopicDifference, 'action'> &
  Partial<Pick<TopicDifference, 'reason' | 'command'>>

function difference(
  { planned: { topic } }: Case,
  kind: TopicDifference['kind'],
  [setting, found, planned]: readonly [string, string, string],
  { action, reason = null, command = null }: Outcome,
): TopicDifference {
  return { topic, kind, setting, found, planned, action, reason, command }
}
