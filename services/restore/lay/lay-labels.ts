// Committed labels that were lost, back in their logs.
//
// A label has no ordinal and no scored event: the lanes of labels are merged as the live lanes are,
// by the highest label time so far, each lane in its own order. In: the messages of the label
// lanes. Out: rows in the buckets' drafts.

import { offsetOfSource } from '../../pipeline/enrich/entity-log.ts'
import type { Arrival } from '../../pipeline/records.ts'
import type { PassContext, PassLane } from '../plan/restore-context.ts'
import { admitMessages } from '../read/admit-messages.ts'
import { mergeByTime } from '../read/merge-by-time.ts'
import type { LogName } from '../restorable-store.ts'
import { type BucketDraft, layNext, openAll } from './bucket-draft.ts'
import { collectRows, rowAt } from './collect-rows.ts'
import type { Row } from './log-draft.ts'

const CHUNK_LABELS = 500

type CommittedLabel = { readonly atMs: number; readonly lane: PassLane; readonly arrival: Arrival }

export async function layLabels(pass: PassContext): Promise<void> {
  const lanes = pass.lanes.filter(({ lane }) => lane.address.stream === 'labels')
  let chunk: CommittedLabel[] = []
  for await (const label of mergeByTime(lanes.map((lane) => readLabels(lane, pass)))) {
    chunk.push(label)
    if (chunk.length < CHUNK_LABELS) continue
    await layChunk(chunk, pass)
    chunk = []
  }
  await layChunk(chunk, pass)
}

async function* readLabels(lane: PassLane, pass: PassContext): AsyncGenerator<CommittedLabel> {
  const { committedOffset } = lane.lane
  let atMs = Number.NEGATIVE_INFINITY
  for await (const messages of lane.cursor.follow(lane.readFromOffset, committedOffset)) {
    for (const arrival of await admitMessages('labels', messages, pass.stages)) {
      if (arrival.label === null) continue
      atMs = Math.max(atMs, arrival.label.labelTime)
      if (arrival.raw.offset >= lane.fromOffset) yield { atMs, lane, arrival }
    }
  }
}

async function layChunk(chunk: readonly CommittedLabel[], pass: PassContext): Promise<void> {
  const rows = chunk.flatMap((label) => listLost(label, pass))
  await openAll(rows, pass)
  for (const row of rows) layNext(row.bucket, row, pass)
  pass.noteEvents(chunk.length)
}

type LostRow = LogName & { readonly bucket: BucketDraft; readonly row: Row }

/** The label's rows in buckets that have not applied it. */
function listLost({ lane, arrival }: CommittedLabel, { plan, bucketOf }: PassContext): LostRow[] {
  const { address } = lane.lane
  const collected = collectRows(address, [arrival], plan)
  const { count, kinds, keys } = collected.records
  const lost: LostRow[] = []
  for (let entry = 0; entry < count; entry++) {
    const key = keys[entry]!
    const row = rowAt(collected, entry, plan)
    const bucket = bucketOf(key)
    if (bucket === null || offsetOfSource(row.source) <= bucket.appliedOf(address.laneId)) continue
    lost.push({ bucket, kind: kinds[entry]!, key, row })
  }
  return lost
}
