// The campaigns as a table: which stack, which faults, how many in how much time.
//
// A campaign has topics, a group and keys of its own, and is judged by itself. `secondsPerFault`
// leaves time to recover on two cores. Adding a kind of fault means adding its maker to a row.

import type { Disturbances } from '../generator/disturbances.ts'
import type { RedisShape } from './chaos-redis.ts'
import { failPoints } from './fail-points.ts'
import type { FaultMaker } from './fault.ts'
import { repeatInput, shuffleInput } from './input-faults.ts'
import { disturbWire, slowWire } from './network-faults.ts'
import { freezeAt, killAt, killOutOfTheBlue, storm } from './scorer-faults.ts'
import {
  failOverRedis,
  fallBackRedis,
  flushRedis,
  hangRedis,
  loseRedis,
  moveRedisSlot,
  registryAway,
  restartBroker,
  restartRedis,
} from './server-faults.ts'

export type Campaign = {
  readonly says: string
  readonly brokers: 1 | 3
  readonly redis: RedisShape
  readonly secondsPerFault: number
  /** Share of the faults that come before the one before has been recovered from. */
  readonly hurriedShare: number
  readonly faults: readonly FaultMaker[]
  readonly disturbances: Partial<Disturbances>
}

const someTrouble = { lateShare: 0.01, duplicateShare: 0.005, poisonShare: 0.005 }
const oneBroker = { brokers: 1, redis: 'durable', disturbances: someTrouble } as const

const redisRestarts = [restartRedis('SIGTERM'), restartRedis('SIGKILL'), hangRedis]
const brokerRestarts = [restartBroker('SIGTERM'), restartBroker('SIGKILL')]
const kafkaTroubles = [
  slowWire('Kafka'),
  disturbWire('Kafka', 'cut'),
  disturbWire('Kafka', 'stall'),
]
const redisTroubles = [
  slowWire('Redis'),
  disturbWire('Redis', 'cut'),
  disturbWire('Redis', 'stall'),
  disturbWire('Redis', 'half open'),
]

/** The store has applied what is not committed: holes for a repair to fill. */
const killsWithWorkInFlight = [killAt('after_advance'), killAt('before_commit')]

export const campaigns = {
  kills: {
    says: 'a scorer is killed at each step of a batch',
    ...oneBroker,
    secondsPerFault: 7,
    hurriedShare: 0.1,
    faults: failPoints.map(killAt),
  },
  zombies: {
    says: 'a scorer is frozen at each step of a batch, beyond its session, and wakes up',
    ...oneBroker,
    secondsPerFault: 9,
    hurriedShare: 0,
    faults: failPoints.map(freezeAt),
  },
  storm: {
    says: 'two to four scorers join, leave and crash',
    ...oneBroker,
    secondsPerFault: 8,
    hurriedShare: 0.2,
    faults: [storm],
  },
  broker: {
    says: 'the broker restarts, cleanly and by SIGKILL',
    ...oneBroker,
    secondsPerFault: 13,
    hurriedShare: 0,
    faults: brokerRestarts,
  },
  redis: {
    says: 'Redis restarts with its data, or hangs',
    ...oneBroker,
    secondsPerFault: 6,
    hurriedShare: 0.2,
    faults: redisRestarts,
  },
  registry: {
    says: 'the registry is away while a scorer dies and another has to start',
    ...oneBroker,
    secondsPerFault: 8,
    hurriedShare: 0,
    faults: [registryAway],
  },
  input: {
    says: 'messages twice, out of order, late and poisoned, with kills among them',
    ...oneBroker,
    disturbances: { lateShare: 0.05, duplicateShare: 0.05, poisonShare: 0.03 },
    secondsPerFault: 4,
    hurriedShare: 0.3,
    faults: [repeatInput, shuffleInput, repeatInput, shuffleInput, killOutOfTheBlue],
  },
  'kafka-network': {
    says: 'the network to Kafka is slow, cut, stalled or half open',
    ...oneBroker,
    secondsPerFault: 9,
    hurriedShare: 0.1,
    faults: [...kafkaTroubles, ...kafkaTroubles, disturbWire('Kafka', 'half open')],
  },
  'redis-network': {
    says: 'the network to Redis is slow, cut, stalled or half open',
    ...oneBroker,
    secondsPerFault: 6,
    hurriedShare: 0.1,
    faults: redisTroubles,
  },
  mixed: {
    says: 'all of the above, often before the last one is over',
    ...oneBroker,
    secondsPerFault: 7,
    hurriedShare: 0.5,
    faults: [
      ...failPoints.map(killAt),
      ...failPoints.filter((_, i) => i % 3 === 0).map(freezeAt),
      storm,
      ...brokerRestarts,
      ...redisRestarts,
      repeatInput,
      shuffleInput,
      registryAway,
      ...kafkaTroubles,
      ...redisTroubles,
    ],
  },
  'three-brokers': {
    says: 'three brokers, replication 3, min.insync 2: one is killed, and scorers with it',
    ...oneBroker,
    brokers: 3,
    secondsPerFault: 12,
    hurriedShare: 0.1,
    faults: [...brokerRestarts, restartBroker('SIGKILL'), killOutOfTheBlue],
  },
  'redis-forgets': {
    says: 'Redis is flushed, starts with nothing or from an old snapshot, with kills among it',
    ...oneBroker,
    redis: 'forgetful',
    secondsPerFault: 8,
    hurriedShare: 0.3,
    faults: [fallBackRedis, fallBackRedis, loseRedis, flushRedis, ...killsWithWorkInFlight],
  },
  'redis-fails-over': {
    says: 'a replica that lags takes the place of its master, with kills among it',
    ...oneBroker,
    redis: 'replicated',
    secondsPerFault: 8,
    hurriedShare: 0.3,
    faults: [failOverRedis, failOverRedis, failOverRedis, ...killsWithWorkInFlight],
  },
  'redis-cluster': {
    says: 'a Redis Cluster of three masters and their replicas: nodes die, hang, slots move',
    ...oneBroker,
    redis: 'cluster',
    secondsPerFault: 9,
    hurriedShare: 0.1,
    faults: [...redisRestarts, restartRedis('SIGKILL'), moveRedisSlot, killAt('after_advance')],
  },
  brief: {
    says: 'one fault of each sort: what `npm test` runs',
    ...oneBroker,
    secondsPerFault: 5,
    hurriedShare: 0,
    faults: [
      killAt('after_advance'),
      killAt('after_send_offsets'),
      restartRedis('SIGKILL'),
      restartBroker('SIGKILL'),
      disturbWire('Redis', 'cut'),
      repeatInput,
    ],
  },
} as const satisfies Readonly<Record<string, Campaign>>

export type CampaignName = keyof typeof campaigns

export const campaignNames = Object.keys(campaigns) as CampaignName[]

/** What runs unless somebody names others; the brief one is part of them. */
export const usualCampaigns = campaignNames.filter((name) => name !== 'brief')
