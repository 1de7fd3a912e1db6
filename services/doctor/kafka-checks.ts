// What the brokers have to be like: the table.
//
// In: a ClusterSight. Out: verdicts. What concerns single topics is topic-checks.ts. Refused, as
// fatal: what lets every transaction fail, or the group never form.

import { SESSION_MS } from '../adapters/kafka/lanes/lane-consumer.ts'
import type { BrokerSight, ClusterSight } from '../adapters/kafka/topics/inspect-cluster.ts'
import { ownTopics } from '../adapters/kafka/topics/inspect-cluster.ts'
import {
  type Check,
  type Examination,
  fatal,
  ok,
  orOk,
  unseen,
  type Verdict,
  warning,
} from './finding.ts'
import { kafkaRelease, missingRequests } from './kafka-version.ts'
import { topicChecks } from './topic-checks.ts'
import { inWords } from './units.ts'

/**
 * The oldest release that a broker's transactions are trusted of: their epochs recover (KIP-360).
 */
const RELEASE_MIN = 2.5
const OFFSETS_RETENTION_MIN_MS = 7 * 86_400_000
const MINUTE_MS = 60_000

const brokerChecks: readonly Check<ClusterSight>[] = [
  {
    name: 'advertised listeners',
    why: 'clients go on from the first address to those that the brokers advertise',
    worst: 'fatal',
    judge: ({ brokers }) => {
      const silent = brokers.filter(({ trouble }) => trouble !== null)
      // Single brokers come and go; a listener that leads nowhere does so for all of them.
      const level = silent.length === brokers.length ? fatal : warning
      const faults = silent.map(({ nodeId, address, trouble }) =>
        level(
          `broker ${nodeId} at ${address}: ${trouble}`,
          'advertised.listeners of the broker, the way there from here, or the broker',
        ),
      )
      return orOk(faults, brokers.map(({ address }) => address).join(', '))
    },
  },
  {
    name: 'broker version',
    why: 'exactly once stands on transactions and idempotent producers',
    worst: 'fatal',
    judge: ({ requests }) => {
      if (requests === null) return unseen('the versions of requests', 'nothing: another client')
      const missing = missingRequests(requests)
      if (missing.length > 0) {
        return fatal(`no ${missing.join(', ')}`, 'use Apache Kafka 2.5 or later, best 4.1')
      }
      const release = kafkaRelease(requests)
      return Number(release ?? 0) >= RELEASE_MIN
        ? ok(`speaks as Apache Kafka ${release} or later`)
        : warning(`older than Apache Kafka ${RELEASE_MIN}`, 'use a later release, best 4.1')
    },
  },
  {
    name: 'transaction timeout',
    why: 'a broker refuses producers that ask for a longer one than it allows',
    worst: 'fatal',
    judge: ({ brokers }, { transactionMsMax }) =>
      judgeSetting(brokers, 'transaction.max.timeout.ms', (found) =>
        found >= transactionMsMax
          ? null
          : fatal(inWords(found), `transaction.max.timeout.ms >= ${transactionMsMax}`),
      ),
  },
  {
    name: 'session timeout',
    why: 'a broker refuses group members whose session timeout it does not allow',
    worst: 'fatal',
    judge: ({ brokers }) => {
      const least = 'group.min.session.timeout.ms'
      const most = 'group.max.session.timeout.ms'
      return [
        judgeSetting(brokers, least, (found) =>
          found <= SESSION_MS ? null : fatal(inWords(found), `${least} <= ${SESSION_MS}`),
        ),
        judgeSetting(brokers, most, (found) =>
          found >= SESSION_MS ? null : fatal(inWords(found), `${most} >= ${SESSION_MS}`),
        ),
      ].flat()
    },
  },
  {
    name: 'offsets retention',
    why: 'a group that is stopped for longer starts at the beginning of its topics again',
    worst: 'warning',
    judge: ({ brokers }) =>
      judgeSetting(brokers, 'offsets.retention.minutes', (minutes) =>
        minutes * MINUTE_MS >= OFFSETS_RETENTION_MIN_MS
          ? null
          : warning(
              inWords(minutes * MINUTE_MS),
              `offsets.retention.minutes >= ${OFFSETS_RETENTION_MIN_MS / MINUTE_MS}`,
            ),
      ),
  },
  {
    name: "replicas of Kafka's own topics",
    why: 'committed offsets and the state of transactions are lost with the last copy',
    worst: 'warning',
    judge: ({ topics }) => {
      const single = ownTopics.filter((name) =>
        topics.get(name)?.partitions.some(({ replicas }) => replicas < 2),
      )
      const change =
        'offsets.topic.replication.factor and transaction.state.log.replication.factor = 3'
      const faults = single.map((name) => warning(`${name} has 1 replica`, change))
      const isThere = ownTopics.some((name) => topics.has(name))
      return orOk(faults, isThere ? 'more than 1' : 'not made yet: the first group makes them')
    },
  },
]

export const kafkaExamination: Examination<ClusterSight> = {
  system: 'kafka',
  reach: {
    name: 'answers',
    why: 'events come from the brokers, and all that becomes of them goes there',
    change: 'WEIR_KAFKA_BROKERS, WEIR_KAFKA_SSL and WEIR_KAFKA_SASL_*, or the brokers',
  },
  checks: [...brokerChecks, ...topicChecks],
}

/** The same setting of all brokers that show theirs. */
function judgeSetting(
  brokers: readonly BrokerSight[],
  setting: string,
  judge: (found: number) => Verdict | null,
): readonly Verdict[] {
  const shown = brokers.filter(({ config }) => config?.has(setting))
  if (shown.length === 0) return [unseen(setting, 'DescribeConfigs on the cluster')]
  const faults = shown.flatMap(({ nodeId, config }) => {
    const verdict = judge(Number(config?.get(setting)))
    if (verdict === null) return []
    return [{ ...verdict, found: `broker ${nodeId}: ${setting} is ${verdict.found}` }]
  })
  return orOk(faults, `${setting} = ${shown[0]?.config?.get(setting)}`)
}
