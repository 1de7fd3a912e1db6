// What the topics prove: that each message has one outcome, and each outcome is what it must be.
//
// In: the place and its topics, read to the end. Out: the offenders by name, empty where all is
// well. Nothing here asks the scorer. Labels have no output; their one outcome is their record in
// the label logs of Redis, and the order there decides which labels an event saw.

import { planFeatures } from '../../services/pipeline/enrich/feature-plan.ts'
import type { Label } from '../../services/pipeline/records.ts'
import { type Recomputation, recomputeVectors } from './recompute-vectors.ts'
import { openRedisWitness } from './redis-witness.ts'
import type { ScoringEnvironment } from './scoring-environment.ts'
import { decodeTransaction, type WeirTopics } from './weir-topics.ts'

export type Verdict = {
  /** partition/offset of messages without an outcome, and of those with more than one. */
  readonly missing: readonly string[]
  readonly repeated: readonly string[]
  /** Fraud labels that the label logs lack, or have more than once. */
  readonly labelFaults: readonly string[]
  readonly latenessDifferences: readonly string[]
  readonly recomputed: Recomputation
}

type Position = { readonly sourcePartition: number; readonly sourceOffset: number }
const nameOf = ({ sourcePartition, sourceOffset }: Position): string =>
  `${sourcePartition}/${sourceOffset}`

export async function judgeHistory(
  place: ScoringEnvironment,
  topics: WeirTopics,
): Promise<Verdict> {
  const { definition } = place
  const received = new Map(topics.received().map((r) => [`${r.partition}/${r.offset}`, r]))
  const scored = topics.scored()
  const input = definition.topics.transactions
  const rejected = topics.rejected().filter(({ sourceTopic }) => sourceTopic === input)
  const outcomes = [...scored, ...rejected, ...topics.late()].map(nameOf)
  const once = new Set<string>()
  const repeated = outcomes.filter((name) => once.has(name) || !once.add(name))
  const unknown = outcomes.filter((name) => !received.has(name)).map((name) => `${name} (unknown)`)
  const transactionOf = (event: Position) => decodeTransaction(received.get(nameOf(event))!)
  const { labels, faults: labelFaults } = await readLabels(place, topics)
  return {
    missing: [...received.keys()].filter((name) => !once.has(name)),
    repeated: [...repeated, ...unknown],
    labelFaults,
    latenessDifferences: compareLateness(scored, transactionOf),
    recomputed: await recomputeVectors(definition, {
      scored,
      transactionOf,
      labelsOf: (entity) => labels.get(entity) ?? [],
    }),
  }
}

/** A lane's lateness follows from the order of its partition; nothing else may decide it. */
function compareLateness(
  scored: ReturnType<WeirTopics['scored']>,
  transactionOf: (event: Position) => { readonly eventTime: number },
): string[] {
  const differences: string[] = []
  const highestMs = new Map<number, number>()
  const inOrder = [...scored].sort(
    (a, b) => a.sourcePartition - b.sourcePartition || a.sourceOffset - b.sourceOffset,
  )
  for (const event of inOrder) {
    const { eventTime } = transactionOf(event)
    const before = highestMs.get(event.sourcePartition) ?? -1
    const expected = Math.max(0, before - eventTime)
    highestMs.set(event.sourcePartition, Math.max(before, eventTime))
    if (event.latenessMs === expected) continue
    differences.push(`${nameOf(event)}: ${event.latenessMs} ms late, expected ${expected}`)
  }
  return differences
}

/** Accepted fraud labels in the order of each entity's label logs, and what is wrong with those. */
async function readLabels(
  { definition, stack, keyPrefix }: ScoringEnvironment,
  topics: WeirTopics,
): Promise<{ labels: ReadonlyMap<string, readonly Label[]>; faults: string[] }> {
  const accepted = acceptedFrauds(definition.topics.labels, topics)
  const labels = new Map<string, readonly Label[]>()
  const faults: string[] = []
  const witness = openRedisWitness(stack.redisUrl, keyPrefix)
  for (const [kind, { name }] of planFeatures(definition).kinds.entries()) {
    if (!name.endsWith(LABEL_LOGS)) continue
    const stored = [...(await witness.logs(kind)).values()]
      .flat()
      .map(({ laneId, offset }) => `${(laneId - 1) / 2}/${offset}`)
    const entity = name.slice(0, -LABEL_LOGS.length)
    labels.set(
      entity,
      stored.flatMap((label) => accepted.get(label) ?? []),
    )
    faults.push(...compareLabels(entity, stored, accepted))
  }
  witness.close()
  return { labels, faults }
}

const LABEL_LOGS = '.labels'

function compareLabels(
  entity: string,
  stored: readonly string[],
  accepted: ReadonlyMap<string, Label>,
): string[] {
  const once = new Set<string>()
  const twice = stored.filter((name) => once.has(name) || !once.add(name))
  return [
    ...twice.map((name) => `${entity}: ${name} is there twice`),
    ...[...accepted.keys()]
      .filter((name) => !once.has(name))
      .map((name) => `${entity}: ${name} is missing`),
    ...[...once]
      .filter((name) => !accepted.has(name))
      .map((name) => `${entity}: ${name} is unknown`),
  ]
}

/** Fraud labels that were not refused, by partition/offset. */
function acceptedFrauds(input: string | null, topics: WeirTopics): ReadonlyMap<string, Label> {
  if (input === null) return new Map()
  const refused = new Set(
    topics
      .rejected()
      .filter(({ sourceTopic }) => sourceTopic === input)
      .map(nameOf),
  )
  const frauds = topics.labels().filter(({ event }) => event.isFraud)
  return new Map(
    frauds
      .map(({ partition, offset, event }): [string, Label] => [`${partition}/${offset}`, event])
      .filter(([name]) => !refused.has(name)),
  )
}
