// What the two topics of the roster say: the roster in force, and every step that led to it.
//
//   model.control (compacted)   the highest epoch is in force; the first record of an epoch counts
//   model.audit                 the steps; where the control topic has lost its newest roster, the
//                               newest step still has it
//
// In: a client, codecs, the pipeline. Out: the rosters and the newest record of each topic, of any
// pipeline. Refused: topics that are not there (WEIR_TOPICS_DIFFER), a record of this pipeline that
// cannot be read (WEIR_ROSTER_UNREADABLE): the newest roster may be in it. Reads committed records
// to the end.

import { WeirError } from '../../../core/errors.ts'
import type { RawMessage } from '../../../pipeline/records.ts'
import type { Roster } from '../../../roster/roster.ts'
import { type RosterFile, type RosterStep, rosterOfFile } from '../../../roster/roster-change.ts'
import type { Kafka } from '../client/kafka-client.ts'
import { withAdmin } from '../client/with-admin.ts'
import { partitionBounds } from '../ranges/topic-bounds.ts'
import { openTopicRanges } from '../ranges/topic-ranges.ts'
import type { RosterCodec } from './roster-codec.ts'
import { type AuditRecord, type ControlRecord, readAudit, readControl } from './roster-records.ts'

type RosterTopics = { readonly modelControl: string; readonly modelAudit: string }

type RosterCodecs = {
  readonly control: RosterCodec<ControlRecord>
  readonly audit: RosterCodec<AuditRecord>
}

export type RosterSight = {
  readonly inForce: Roster
  /** In the order of their epochs. */
  readonly steps: readonly RosterStep[]
}

export type RosterReading = RosterSight & {
  readonly newest: { readonly control: Buffer | null; readonly audit: Buffer | null }
}

type RosterEnvironment = {
  readonly kafka: Kafka
  readonly topics: RosterTopics
  readonly codecs: RosterCodecs
}

export async function readRosters(
  { kafka, topics, codecs }: RosterEnvironment,
  file: RosterFile,
): Promise<RosterReading> {
  const [control, audit] = await readWhole(kafka, [topics.modelControl, topics.modelAudit])
  const ours = ({ key }: RawMessage): boolean => key?.toString() === file.pipeline
  const rosters = await decodeAll(control!.filter(ours), async (bytes) =>
    readControl(await codecs.control.decode(bytes)),
  )
  const steps = await decodeAll(audit!.filter(ours), async (bytes) =>
    readAudit(await codecs.audit.decode(bytes)),
  )
  const inOrder = firstOfEachEpoch(steps, ({ after }) => after.epoch)
  const known = [rosterOfFile(file), ...rosters, ...inOrder.map(({ after }) => after)]
  return {
    inForce: firstOfEachEpoch(known, ({ epoch }) => epoch).at(-1)!,
    steps: inOrder,
    newest: { control: newestValue(control!), audit: newestValue(audit!) },
  }
}

/** All committed messages of each topic, as far as it is written now. */
async function readWhole(kafka: Kafka, topics: readonly string[]): Promise<RawMessage[][]> {
  await demandTopics(kafka, topics)
  const bounds = await Promise.all(topics.map((topic) => partitionBounds(kafka, topic)))
  const ranges = topics.flatMap((topic, i) =>
    bounds[i]!.map(({ partition, low, high }) => ({ topic, partition, from: low, to: high })),
  )
  const opened = await openTopicRanges(kafka, ranges)
  try {
    const whole = topics.map((): RawMessage[] => [])
    for (const [index, { topic }] of ranges.entries()) {
      const messages = whole[topics.indexOf(topic)]!
      for await (const fetched of opened.read(index)) messages.push(...fetched)
    }
    return whole
  } finally {
    await opened.close()
  }
}

async function demandTopics(kafka: Kafka, topics: readonly string[]): Promise<void> {
  const there = await withAdmin(kafka, (admin) => admin.listTopics())
  const missing = topics.filter((topic) => !there.includes(topic))
  if (missing.length === 0) return
  const detail = `Found no topic ${missing.join(', ')}: run \`weir topics apply\`.`
  throw new WeirError('WEIR_TOPICS_DIFFER', detail)
}

/** A tombstone is no roster. */
const decodeAll = <T>(
  messages: readonly RawMessage[],
  decode: (bytes: Buffer) => Promise<T>,
): Promise<T[]> =>
  Promise.all(messages.flatMap(({ value }) => (value === null ? [] : decode(value))))

const newestValue = (messages: readonly RawMessage[]): Buffer | null =>
  messages.findLast(({ value }) => value !== null)?.value ?? null

function firstOfEachEpoch<T>(entries: readonly T[], epochOf: (entry: T) => number): T[] {
  const byEpoch = new Map<number, T>()
  for (const entry of entries) {
    if (!byEpoch.has(epochOf(entry))) byEpoch.set(epochOf(entry), entry)
  }
  return [...byEpoch.values()].sort((a, b) => epochOf(a) - epochOf(b))
}
