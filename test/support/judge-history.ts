// What the topics prove: that each message has one outcome, and each outcome is what it must be.
//
// In: the pipeline and its topics, read to the end. Out: the offenders by name, empty where all is
// well. Nothing here asks the scorer.

import type { PipelineDefinition } from '../../services/core/pipeline-definition.ts'
import { type Recomputation, recomputeVectors } from './recompute-vectors.ts'
import { decodeTransaction, type WeirTopics } from './weir-topics.ts'

export type Verdict = {
  /** partition/offset of messages without an outcome, and of those with more than one. */
  readonly missing: readonly string[]
  readonly repeated: readonly string[]
  readonly latenessDifferences: readonly string[]
  readonly recomputed: Recomputation
}

type Position = { readonly sourcePartition: number; readonly sourceOffset: number }
const nameOf = ({ sourcePartition, sourceOffset }: Position): string =>
  `${sourcePartition}/${sourceOffset}`

export async function judgeHistory(
  definition: PipelineDefinition,
  topics: WeirTopics,
): Promise<Verdict> {
  const received = new Map(topics.received().map((r) => [`${r.partition}/${r.offset}`, r]))
  const scored = topics.scored()
  const input = definition.topics.transactions
  const rejected = topics.rejected().filter(({ sourceTopic }) => sourceTopic === input)
  const outcomes = [...scored, ...rejected, ...topics.late()].map(nameOf)
  const once = new Set<string>()
  const repeated = outcomes.filter((name) => once.has(name) || !once.add(name))
  const unknown = outcomes.filter((name) => !received.has(name)).map((name) => `${name} (unknown)`)
  const transactionOf = (event: Position) => decodeTransaction(received.get(nameOf(event))!)
  return {
    missing: [...received.keys()].filter((name) => !once.has(name)),
    repeated: [...repeated, ...unknown],
    latenessDifferences: compareLateness(scored, transactionOf),
    recomputed: await recomputeVectors(definition, {
      scored,
      transactionOf,
      labels: acceptedLabels(definition, topics),
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

/** In the order in which one process merges its lanes: by label time, then by partition. */
function acceptedLabels({ topics: names }: PipelineDefinition, topics: WeirTopics) {
  if (names.labels === null) return []
  const refused = new Set(
    topics
      .rejected()
      .filter(({ sourceTopic }) => sourceTopic === names.labels)
      .map(nameOf),
  )
  return topics
    .labels()
    .filter(({ partition, offset }) => !refused.has(`${partition}/${offset}`))
    .toSorted((a, b) => a.event.labelTime - b.event.labelTime || a.partition - b.partition)
    .map(({ event }) => event)
}
