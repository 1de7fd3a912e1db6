// What the topics of a pipeline have to be like: the table.
//
// In: a ClusterSight and the plan of topics. Out: verdicts. Refused, as fatal: topics that are not
// there, cannot be written, lose single events by compaction, or have more lanes than a log can
// name. A setting that merely differs from the plan is `weir topics check`'s business, not judged
// here.

import type {
  ClusterSight,
  ConfigSight,
  TopicSight,
} from '../adapters/kafka/topics/inspect-cluster.ts'
import type { PlannedTopic, TopicRole } from '../adapters/kafka/topics/topics.ts'
import { limits } from '../core/limits.ts'
import { laneIdOf } from '../lanes/lane-input.ts'
import { type Check, fatal, orOk, unknown, unseen, type Verdict, warning } from './finding.ts'
import type { Needs } from './needs.ts'
import { inBytes, inWords } from './units.ts'

const inputs: readonly TopicRole[] = ['transactions', 'labels']
/** Without lanes: not written by the scorer. */
const others: readonly TopicRole[] = [
  'driftReports',
  'modelControl',
  'modelAudit',
  'modelComparisons',
]
/** Neither read nor written by the scorer. */
const foreign: readonly TopicRole[] = ['driftReports', 'modelComparisons']
/** Lost state is put back from these. */
const journals: readonly TopicRole[] = ['transactions', 'labels', 'scored']
/** Events that are gone here were never scored, or never said so. */
const irreplaceable: readonly TopicRole[] = ['transactions', 'labels', 'scored']

/** What is set aside is written there as it came. */
const keepsOriginals: readonly TopicRole[] = ['rejected', 'late']
const BYTES = 'max.message.bytes'
const APPLY = 'run `weir topics apply`'
/** Apply leaves it alone and prints what its owner would run. */
const OWNER = 'its owner decides: `weir topics check` has the command'
const NEVER = -1

export const topicChecks: readonly Check<ClusterSight>[] = [
  {
    name: 'topics',
    why: 'a running service makes no topics',
    worst: 'fatal',
    judge: ({ topics }, { plan }) => {
      const missing = plan.filter(({ topic }) => !topics.has(topic))
      const faults = missing.map(({ role, topic }) =>
        (foreign.includes(role) ? warning : fatal)(`${topic} is not there`, APPLY),
      )
      return orOk(faults, `all ${plan.length} are there`)
    },
  },
  {
    name: 'lanes',
    why: 'a record in a log names its lane, two per partition, and has room for 512',
    worst: 'fatal',
    judge: (sight, needs) =>
      judgeTopics(sight, needs, inputs, ({ topic, role }, { partitions }) => {
        const stream = role === 'labels' ? 'labels' : 'transactions'
        const highest = laneIdOf(stream, partitions.length - 1)
        const found = `${partitions.length} partitions`
        if (highest < limits.lanesMax) return found
        const change = `at most ${limits.lanesMax / 2} partitions: a new topic for its producers`
        return fatal(`${topic}: ${found}`, change)
      }),
  },
  {
    name: 'output partitions',
    why: "a lane writes to its own partition; sharing one mixes customers' order and slows both",
    worst: 'warning',
    judge: (sight, needs) => {
      const lanes = topicOf(sight, needs, 'transactions')?.partitions.length
      if (lanes === undefined) return unknown('the input is not there', APPLY)
      const outputs = needs.plan.filter(
        ({ role }) => !inputs.includes(role) && !others.includes(role),
      )
      const roles = outputs.map(({ role }) => role)
      return judgeTopics(sight, needs, roles, ({ topic }, { partitions }) => {
        const found = `${partitions.length} partitions`
        if (partitions.length >= lanes) return found
        return warning(`${topic}: ${found}, the input ${lanes}`, `${APPLY} --partitions ${lanes}`)
      })
    },
  },
  {
    name: 'leaders',
    why: 'a partition without a leader, or with too few copies in sync, takes no events',
    worst: 'warning',
    judge: (sight, needs) =>
      judgeTopics(sight, needs, null, ({ topic }, { partitions, config }) => {
        const inSyncMin = numberOf(config, 'min.insync.replicas') ?? 1
        const silent = partitions.filter((p) => !p.hasLeader || p.inSync < inSyncMin)
        if (silent.length === 0) return 'led and in sync'
        const numbers = silent.map(({ partition }) => partition).join(', ')
        return warning(`${topic}: partitions ${numbers}`, 'bring the brokers that have them back')
      }),
  },
  {
    name: 'replication',
    why: 'what has one copy is lost with its broker',
    worst: 'warning',
    judge: (sight, needs) =>
      judgeTopics(sight, needs, null, ({ topic }, { partitions }) => {
        const replicas = Math.min(...partitions.map((p) => p.replicas))
        if (replicas > 1) return `${replicas} replicas`
        return warning(`${topic}: 1 replica`, '3 replicas (kafka-reassign-partitions)')
      }),
  },
  {
    name: 'copies in sync',
    why: 'fewer than min.insync.replicas copies refuse events; one alone may vanish with them',
    worst: 'fatal',
    judge: (sight, needs) =>
      judgeTopics(sight, needs, null, ({ topic }, { partitions, config }) => {
        const replicas = Math.min(...partitions.map((p) => p.replicas))
        const inSyncMin = numberOf(config, 'min.insync.replicas')
        if (inSyncMin === null) return null
        const found = `min.insync.replicas ${inSyncMin} of ${replicas}`
        const best = Math.max(1, replicas - 1)
        if (inSyncMin === best) return found
        const change = `min.insync.replicas = ${best}`
        return (inSyncMin > replicas ? fatal : warning)(`${topic}: ${found}`, change)
      }),
  },
  {
    name: 'unclean leaders',
    why: 'a copy that lagged and leads all the same has lost committed events and offsets',
    worst: 'warning',
    judge: (sight, needs) =>
      judgeTopics(sight, needs, null, ({ topic }, { config }) => {
        const setting = 'unclean.leader.election.enable'
        if (!config?.has(setting)) return null
        if (config.get(setting) !== 'true') return 'not allowed'
        return warning(`${topic} allows them`, `${setting} = false`)
      }),
  },
  {
    name: 'cleanup policy',
    why: "compaction keeps a customer's last event only: the others would be gone",
    worst: 'fatal',
    judge: (sight, needs) =>
      judgeTopics(sight, needs, null, ({ topic, role, config: planned }, { config }) => {
        const policy = config?.get('cleanup.policy')
        if (policy === undefined) return null
        const wanted = planned['cleanup.policy']
        if (policy === wanted) return policy
        const isLosing = policy.includes('compact') && irreplaceable.includes(role)
        const change = `cleanup.policy = ${wanted} (${OWNER})`
        return (isLosing ? fatal : warning)(`${topic}: ${policy}`, change)
      }),
  },
  {
    name: 'retention',
    why: 'state that Redis has lost is put back from what the topics still hold',
    worst: 'warning',
    judge: (sight, needs) =>
      judgeTopics(sight, needs, journals, ({ topic }, { config }) => {
        const retentionMs = numberOf(config, 'retention.ms')
        const bytes = numberOf(config, 'retention.bytes') ?? NEVER
        if (retentionMs === null) return null
        const isLong = retentionMs === NEVER || retentionMs >= needs.lookBackMs
        const found = retentionMs === NEVER ? 'without end' : inWords(retentionMs)
        if (!isLong) {
          const least = `${needs.lookBackMs} (${inWords(needs.lookBackMs)})`
          const change = `retention.ms >= ${least}: longest window, delay, tail, lateness`
          return warning(`${topic}: ${found}`, change)
        }
        if (bytes === NEVER) return found
        const change = 'retention.bytes = -1, so that retention.ms decides'
        return warning(`${topic}: ${found}, but ${inBytes(bytes)} a partition at most`, change)
      }),
  },
  {
    name: 'timestamps',
    why: "event times are held against the broker's clock; else the producer vouches for itself",
    worst: 'warning',
    judge: (sight, needs) =>
      judgeTopics(sight, needs, inputs, ({ topic }, { config }) => {
        const type = config?.get('message.timestamp.type')
        if (type === undefined) return null
        if (type === 'LogAppendTime') return type
        const change = `message.timestamp.type = LogAppendTime (${OWNER})`
        return warning(`${topic}: ${type}`, change)
      }),
  },
  {
    name: 'batch size',
    why: "a lane's scored events of one batch are one record batch; too large, it is refused for ever",
    worst: 'fatal',
    judge: (sight, needs) => {
      const outputs = needs.plan.map(({ role }) => role).filter((role) => !inputs.includes(role))
      return judgeTopics(sight, needs, outputs, ({ topic, role, config: planned }, { config }) => {
        const bytes = numberOf(config, BYTES)
        if (bytes === null) return null
        const found = inBytes(bytes)
        const change = `${BYTES} = ${planned[BYTES]} (${APPLY})`
        if (bytes >= Number(planned[BYTES])) return found
        const isStuck = role === 'scored' && bytes < needs.recordBatchBytesMax
        return (isStuck ? fatal : warning)(`${topic}: ${found}`, change)
      })
    },
  },
  {
    name: 'input size',
    why: 'an event that is set aside keeps its original: what an input takes has to fit there',
    worst: 'warning',
    judge: (sight, needs) =>
      judgeTopics(sight, needs, inputs, ({ topic }, { config }) => {
        const bytes = numberOf(config, BYTES)
        if (bytes === null) return null
        const small = needs.plan.filter(({ role, topic: output }) => {
          const taken = numberOf(sight.topics.get(output)?.config ?? null, BYTES)
          return keepsOriginals.includes(role) && taken !== null && taken < bytes
        })
        if (small.length === 0) return inBytes(bytes)
        const names = small.map((output) => output.topic).join(', ')
        const found = `${topic} takes ${inBytes(bytes)}, more than ${names}`
        return warning(found, `${BYTES} of ${names} >= ${bytes}`)
      }),
  },
]

const topicOf = (
  { topics }: ClusterSight,
  { plan }: Needs,
  role: TopicRole,
): TopicSight | undefined => {
  const planned = plan.find((entry) => entry.role === role)
  return planned === undefined ? undefined : topics.get(planned.topic)
}

function numberOf(config: ConfigSight | null, setting: string): number | null {
  const text = config?.get(setting)
  return text === undefined ? null : Number(text)
}

/**
 * Judges every topic of the roles (null: of all) that is there. A judge gives a fault, a sentence
 * for one that is as it should be, or null where its settings are not shown; equal sentences are
 * told once.
 */
function judgeTopics(
  { topics }: ClusterSight,
  { plan }: Needs,
  roles: readonly TopicRole[] | null,
  judge: (planned: PlannedTopic, sight: TopicSight) => Verdict | string | null,
): readonly Verdict[] {
  const faults: Verdict[] = []
  const sound = new Map<string, number>()
  const hidden: string[] = []
  for (const planned of plan) {
    const sight = topics.get(planned.topic)
    if (sight === undefined || (roles !== null && !roles.includes(planned.role))) continue
    const judged = judge(planned, sight)
    if (judged === null) hidden.push(planned.topic)
    else if (typeof judged === 'string') sound.set(judged, (sound.get(judged) ?? 0) + 1)
    else faults.push(judged)
  }
  if (hidden.length > 0) faults.push(unseen(hidden.join(', '), 'DescribeConfigs on the topics'))
  const words = [...sound].map(
    ([said, count]) => `${said} (${count} ${count === 1 ? 'topic' : 'topics'})`,
  )
  if (words.length === 0 && faults.length === 0) return [unknown('no topic is there', APPLY)]
  return orOk(faults, words.join(', '))
}
