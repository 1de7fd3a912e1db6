// What a sound place looks like to the doctor; tests break one thing of it at a time.
//
// In: nothing, or the part that is to be broken. Out: sights of a cluster of three brokers, of a
// Redis and of a registry, with which no check finds a fault, and the verdicts of one check on
// them.

import type {
  BrokerSight,
  ClusterSight,
  TopicSight,
} from '../../services/adapters/kafka/topics/inspect-cluster.ts'
import { topicPlan } from '../../services/adapters/kafka/topics/topics.ts'
import type {
  RedisServerSight,
  RedisSight,
} from '../../services/adapters/redis/inspect/inspect-redis.ts'
import type { SubjectSight } from '../../services/adapters/registry/inspect-registry.ts'
import { type Examination, type Finding, judgeSight } from '../../services/doctor/finding.ts'
import { type Needs, needsOf } from '../../services/doctor/needs.ts'
import { wantedSubjects } from '../../services/doctor/registry-checks.ts'
import { customer, DAY_MS, pipelineOf, windowFeature } from './pipelines.ts'

/** Looks back 30 days, 10 minutes of lateness and the restorer's hour. */
export const soundNeeds: Needs = needsOf(
  pipelineOf({
    entities: [customer],
    features: [
      windowFeature({
        entity: 'customer',
        op: 'count',
        windowMs: 23 * DAY_MS,
        delayMs: 7 * DAY_MS,
      }),
    ],
  }),
)

const replicas = 3
const plan = topicPlan({ replication: replicas })

const brokerConfig = {
  'transaction.max.timeout.ms': '900000',
  'group.min.session.timeout.ms': '6000',
  'group.max.session.timeout.ms': '1800000',
  'offsets.retention.minutes': '10080',
}

/** As Apache Kafka 4.1 answers. */
const requests = new Map([
  [0, 13],
  [1, 18],
  [22, 5],
  [24, 5],
  [25, 4],
  [26, 5],
  [28, 5],
])

export const soundBroker = (
  nodeId: number,
  config: Readonly<Record<string, string>> = {},
): BrokerSight => ({
  nodeId,
  address: `broker-${nodeId}:9092`,
  trouble: null,
  config: new Map(Object.entries({ ...brokerConfig, ...config })),
})

const topicSight = (config: Readonly<Record<string, string>>, count: number): TopicSight => ({
  partitions: Array.from({ length: count }, (_, partition) => ({
    partition,
    hasLeader: true,
    replicas,
    inSync: replicas,
  })),
  config: new Map(
    Object.entries({
      'retention.bytes': '-1',
      'unclean.leader.election.enable': 'false',
      ...config,
      'retention.ms': '-1',
    }),
  ),
})

export type TopicChange = {
  readonly config?: Readonly<Record<string, string>>
  readonly partitions?: TopicSight['partitions']
}

/** A cluster where `changes` are made to topics, by name. */
export function soundCluster(changes: Readonly<Record<string, TopicChange>> = {}): ClusterSight {
  const own = ['__consumer_offsets', '__transaction_state'].map(
    (name) => [name, topicSight({}, 4)] as const,
  )
  const planned = plan.map(({ topic, partitions, config }) => {
    const sight = topicSight(config, partitions)
    const change = changes[topic]
    if (change === undefined) return [topic, sight] as const
    return [
      topic,
      {
        partitions: change.partitions ?? sight.partitions,
        config: new Map([...sight.config!, ...Object.entries(change.config ?? {})]),
      },
    ] as const
  })
  return {
    brokers: [1, 2, 3].map((id) => soundBroker(id)),
    requests,
    topics: new Map([...own, ...planned]),
  }
}

export function soundServer(
  fields: Readonly<Record<string, string>> = {},
  config: Readonly<Record<string, string>> | null = {},
): RedisServerSight {
  const sound = {
    redis_version: '7.4.1',
    role: 'master',
    maxmemory: '1000000000',
    maxmemory_policy: 'noeviction',
    used_memory: '1000000',
    evicted_keys: '0',
    aof_enabled: '1',
    aof_last_write_status: 'ok',
    rdb_last_bgsave_status: 'ok',
    connected_slaves: '1',
  }
  const settings = { save: '', appendfsync: 'everysec', 'min-replicas-to-write': '1' }
  return {
    address: 'redis:6379',
    fields: new Map(Object.entries({ ...sound, ...fields })),
    config: config && new Map(Object.entries({ ...settings, ...config })),
    libraries: ['weir_12345678'],
  }
}

export const soundRedis = (changes: Partial<RedisSight> = {}): RedisSight => ({
  servers: [soundServer()],
  cluster: null,
  roundTripsMs: [0.2, 0.3, 4],
  clock: { aheadMs: 1, uncertainMs: 1 },
  ...changes,
})

export const soundSubjects = (): SubjectSight[] =>
  wantedSubjects(soundNeeds).map((wanted, i) => ({
    ...wanted,
    isRegistered: true,
    latestVersion: 1,
    level: soundNeeds.plan[i]!.compatibility,
  }))

/** What one check says; its name has to be in the table. */
export function verdictsOf<Sight>(
  examination: Examination<Sight>,
  check: string,
  sight: Sight,
  needs: Needs = soundNeeds,
): Pick<Finding, 'level' | 'found' | 'change'>[] {
  const findings = judgeSight(examination, sight, needs).filter(
    (finding) => finding.check === check,
  )
  if (findings.length === 0) throw new Error(`no check ${check} in the table`)
  return findings.map(({ level, found, change }) => ({ level, found, change }))
}
