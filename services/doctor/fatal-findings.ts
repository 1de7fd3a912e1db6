// The doctor at the scorer's entry point: what would make it fail, lose events or count wrongly.
//
// In: the pipeline, and ways to Kafka and Redis. Out: fatal findings, none where the place is fit.
// Cheap enough for every start: one look at each system, nothing is written. The registry and the
// models are left to the scorer, which refuses them by itself when it opens them. Thrown as they
// come: WEIR_KAFKA_AWAY and WEIR_ENRICH_STORE_AWAY, because a later look may find them back; both
// in one AggregateError where both are away.

import { inspectCluster, type OpenKafka } from '../adapters/kafka/topics/inspect-cluster.ts'
import { inspectRedis } from '../adapters/redis/inspect/inspect-redis.ts'
import { WeirError } from '../core/errors.ts'
import type { PipelineDefinition } from '../core/pipeline-definition.ts'
import { type Examination, type Finding, judgeSight } from './finding.ts'
import { kafkaExamination } from './kafka-checks.ts'
import { needsOf } from './needs.ts'
import { redisExamination } from './redis-checks.ts'

type EnvironmentToStart = {
  readonly openKafka: OpenKafka
  readonly redisUrl: string
}

export async function fatalFindings(
  definition: PipelineDefinition,
  { openKafka, redisUrl }: EnvironmentToStart,
): Promise<readonly Finding[]> {
  const needs = needsOf(definition)
  const wanted = needs.plan.map(({ topic }) => topic)
  const looks = [inspectCluster(openKafka, wanted), inspectRedis(redisUrl)] as const
  const [cluster, redis] = await allOrEveryReason(looks)
  const findings = [
    ...judgeSight(onlyFatal(kafkaExamination), cluster, needs),
    ...judgeSight(onlyFatal(redisExamination), redis, needs),
  ]
  return findings.filter(({ level }) => level === 'fatal')
}

/** Unlike Promise.all: whoever mends a place wants to hear of all that is away. */
async function allOrEveryReason<A, B>(both: readonly [Promise<A>, Promise<B>]): Promise<[A, B]> {
  const settled = await Promise.allSettled(both)
  const reasons = settled.flatMap((one) => (one.status === 'rejected' ? [one.reason] : []))
  if (reasons.length === 1) throw reasons[0]
  if (reasons.length > 1) throw new AggregateError(reasons, reasons.map(String).join('\n'))
  return Promise.all(both)
}

const onlyFatal = <Sight>(examination: Examination<Sight>): Examination<Sight> => ({
  ...examination,
  checks: examination.checks.filter(({ worst }) => worst === 'fatal'),
})

/** Throws all of them as one refusal. */
export function refuseFatal(findings: readonly Finding[]): void {
  if (findings.length === 0) return
  const sentences = findings.map(
    ({ system, check, found, change }) => `${system}, ${check}: ${found}. Change: ${change}.`,
  )
  throw new WeirError('WEIR_ENVIRONMENT_UNFIT', sentences.join('\n'))
}
