// The ranges of topics that an earlier run read, so that another one reads the same.
//
// In: a run's folder and the topics that the pipeline reads. Out: offsets for each partition, and
// no other partition. Refused with WEIR_SETTINGS_INVALID: a folder without a manifest of `weir
// replay`, one of a run of files, one of other topics. Invariant: the manifest's offsets are what
// was read, whatever the flags of that run were.

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { WeirError } from '../core/errors.ts'
import type { TopicNames } from '../core/pipeline-definition.ts'
import type { Stream } from '../pipeline/records.ts'
import type { StreamOffsets } from './find-ranges.ts'
import type { PartitionRead } from './topic-lane.ts'

type TopicInput = { readonly topic: string; readonly partitions: readonly PartitionRead[] }

export function rangesOfRun(
  folder: string,
  topics: Pick<TopicNames, Stream>,
): Readonly<Record<Stream, StreamOffsets>> {
  const { transactions, labels } = readInputs(folder)
  return {
    transactions: toOffsets(folder, transactions, topics.transactions),
    labels: toOffsets(folder, labels ?? null, topics.labels),
  }
}

function readInputs(folder: string): Readonly<Partial<Record<Stream, unknown>>> {
  const path = join(folder, 'manifest.json')
  try {
    const { kind, inputs } = JSON.parse(readFileSync(path, 'utf8'))
    if (kind === 'weir replay' && typeof inputs === 'object' && inputs !== null) return inputs
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause)
    throw refused(`${path} cannot be read: ${reason}`, cause)
  }
  throw refused(`${path}: found no manifest of a replay, expected one`)
}

function toOffsets(folder: string, input: unknown, topic: string | null): StreamOffsets {
  const offsets = {
    from: new Map<number, number>(),
    to: new Map<number, number>(),
    onlyThese: true,
  }
  if (input === null) return offsets
  if (!isTopicInput(input)) {
    throw refused(`${folder}: found a run of files, expected one of --topics`)
  }
  if (input.topic !== topic) {
    throw refused(
      `${folder}: found a run of ${input.topic}, expected one of ${topic ?? 'no labels'}`,
    )
  }
  for (const { partition, from, to } of input.partitions) {
    offsets.from.set(partition, from)
    offsets.to.set(partition, to)
  }
  return offsets
}

const isTopicInput = (input: unknown): input is TopicInput =>
  typeof input === 'object' && input !== null && 'topic' in input && 'partitions' in input

const refused = (detail: string, cause?: unknown) =>
  new WeirError('WEIR_SETTINGS_INVALID', `--ranges-of ${detail}.`, { cause })
