// What is committed and was lost, put back: transactions at their published ordinals, labels by label time.
//
// In: the readers of a pass. Out: rows in the buckets' drafts. Lanes of transactions are read side by
// side in the order in which they were scored, so that few rows wait for those before them; lanes of
// labels are merged as the live lanes are.
// Refused (WEIR_ENRICH_STATE_LOST): a scored event whose message is gone, one of another set of entities.

import { WeirError } from '../core/errors.ts'
import { offsetOfSource } from '../pipeline/enrich/entity-log.ts'
import type { Arrival } from '../pipeline/records.ts'
import { decodeScored, admitMessages } from './admit-messages.ts'
import {
  type BucketDraft,
  type DraftContext,
  foldDraft,
  layPublished,
  openDraft,
  openStored,
} from './bucket-draft.ts'
import { collectRows, rowAt } from './collect-rows.ts'
import type { JournalEntry } from './history.ts'
import { appendToDraft } from './log-draft.ts'
import { mergeByTime } from './merge-by-time.ts'
import type { LogName } from './restorable-store.ts'
import type { PassContext, PassLane } from './restore-pass.ts'

/** Few enough that the lanes' rows interleave well, enough to amortise. */
const CHUNK_EVENTS = 500

type ScoredChunk = {
  readonly atMs: number
  readonly lane: PassLane
  readonly entries: readonly JournalEntry[]
  readonly arrivals: readonly Arrival[]
}

export async function layTransactions(pass: PassContext): Promise<void> {
  const lanes = pass.lanes.filter(({ lane }) => lane.address.stream === 'transactions')
  for await (const chunk of mergeByTime(lanes.map((lane) => readScored(lane, pass)))) {
    await layChunk(chunk, pass)
    pass.noteEvents(chunk.entries.length)
  }
}

async function* readScored(lane: PassLane, pass: PassContext): AsyncGenerator<ScoredChunk> {
  const { committedOffset } = lane.lane
  for await (const fetched of lane.reader.journal) {
    const entries = fetched.filter(
      ({ sourceOffset }) => sourceOffset >= lane.fromOffset && sourceOffset < committedOffset,
    )
    for (let from = 0; from < entries.length; from += CHUNK_EVENTS) {
      const chunk = entries.slice(from, from + CHUNK_EVENTS)
      checkEntities(chunk, pass)
      const messages = await lane.cursor.match(chunk.map(({ sourceOffset }) => sourceOffset))
      const found = messages.map((message, i) => message ?? failMissing(lane, chunk[i]!))
      const arrivals = await decodeScored(found, pass.rooms)
      yield { atMs: chunk[0]!.scoredTimeMs, lane, entries: chunk, arrivals }
    }
  }
}

function checkEntities(entries: readonly JournalEntry[], { plan }: PassContext): void {
  const other = entries.find(({ ordinals }) => ordinals.length !== plan.entities.length)
  if (other === undefined) return
  const detail =
    `Scored events have the ordinals of ${other.ordinals.length} entities, the pipeline file names ` +
    `${plan.entities.length}: their order cannot be put back; \`weir rebuild --renumber\` begins ` +
    'ordinals at 0.'
  throw new WeirError('WEIR_ENRICH_STATE_LOST', detail)
}

function failMissing({ lane }: PassLane, { sourceOffset }: JournalEntry): never {
  const { topic, partition } = lane.address
  const detail = `${topic}/${partition}: offset ${sourceOffset} was scored, and is not in the topic.`
  throw new WeirError('WEIR_ENRICH_STATE_LOST', detail)
}

/** A row of an entity's log, or a look at the log of its labels. */
type Place = LogName & {
  readonly bucket: BucketDraft
  readonly entry: number
  /** Index of the transaction among the chunk's. */
  readonly event: number
  readonly entity: number
}

async function layChunk(chunk: ScoredChunk, pass: PassContext): Promise<void> {
  const { plan } = pass
  const { laneId } = chunk.lane.lane.address
  const collected = collectRows(chunk.lane.lane.address, chunk.arrivals, plan)
  const { kinds, keys } = collected.records
  const perEvent = plan.entities.length + plan.labelEntityCount
  const places: Place[] = []
  for (let entry = 0; entry < collected.records.count; entry++) {
    const event = Math.floor(entry / perEvent)
    const key = keys[entry]!
    const bucket = pass.bucketOf(key)
    if (bucket === null) continue
    if (chunk.entries[event]!.sourceOffset <= bucket.appliedOf(laneId)) continue
    places.push({ bucket, kind: kinds[entry]!, key, entry, event, entity: entry % perEvent })
  }
  await openAll(places, pass)
  for (const { bucket, kind, key, entry, event, entity } of places) {
    const { ordinals, labelsSeen } = chunk.entries[event]!
    if (entity >= plan.entities.length) {
      noteLabelsSeen(bucket, { kind, key }, labelsSeen, entity - plan.entities.length, pass)
      continue
    }
    const ordinal = ordinals[entity]!
    if (ordinal < 0) continue
    const row = rowAt(collected, entry, plan)
    const { brokerTimeMs } = chunk.arrivals[event]!.raw
    layPublished(bucket, { kind, key, ordinal, row, brokerTimeMs }, pass)
  }
}

/** Reads what is stored of logs that are met for the first time. */
async function openAll(
  places: readonly (LogName & { readonly bucket: BucketDraft })[],
  context: DraftContext,
): Promise<void> {
  const byBucket = Map.groupBy(places, ({ bucket }) => bucket)
  for (const [bucket, names] of byBucket) {
    if (!bucket.knowsNothing) await openStored(bucket, names, context)
  }
}

/** So many labels were in the log when this event was scored, whoever had brought them. */
function noteLabelsSeen(
  bucket: BucketDraft,
  name: LogName,
  labelsSeen: readonly number[],
  column: number,
  pass: PassContext,
): void {
  const seen = labelsSeen.length === pass.plan.labelEntityCount ? labelsSeen[column]! : 0
  if (seen === 0) return
  const draft = openDraft(bucket, name, 0, pass)
  draft.seenEnd = Math.max(draft.seenEnd, seen)
}

type CommittedLabel = { readonly atMs: number; readonly lane: PassLane; readonly arrival: Arrival }

export async function layLabels(pass: PassContext): Promise<void> {
  const lanes = pass.lanes.filter(({ lane }) => lane.address.stream === 'labels')
  let chunk: CommittedLabel[] = []
  for await (const label of mergeByTime(lanes.map((lane) => readLabels(lane, pass)))) {
    chunk.push(label)
    if (chunk.length < CHUNK_EVENTS) continue
    await layLabelChunk(chunk, pass)
    chunk = []
  }
  await layLabelChunk(chunk, pass)
}

async function* readLabels(lane: PassLane, pass: PassContext): AsyncGenerator<CommittedLabel> {
  const { committedOffset } = lane.lane
  let atMs = Number.NEGATIVE_INFINITY
  for await (const messages of lane.cursor.follow(lane.fromOffset, committedOffset)) {
    for (const arrival of await admitMessages('labels', messages, pass.rooms)) {
      if (arrival.label === null) continue
      // A label that is late keeps its place in its lane, as in the live merge.
      atMs = Math.max(atMs, arrival.label.labelTime)
      yield { atMs, lane, arrival }
    }
  }
}

async function layLabelChunk(chunk: readonly CommittedLabel[], pass: PassContext): Promise<void> {
  const rows = chunk.flatMap(({ lane, arrival }) => {
    const collected = collectRows(lane.lane.address, [arrival], pass.plan)
    const { count, kinds, keys } = collected.records
    return Array.from({ length: count }, (_, entry) => ({
      laneId: lane.lane.address.laneId,
      bucket: pass.bucketOf(keys[entry]!),
      kind: kinds[entry]!,
      key: keys[entry]!,
      row: rowAt(collected, entry, pass.plan),
    }))
  })
  const lost = rows.flatMap(({ laneId, bucket, ...rest }) =>
    bucket === null || offsetOfSource(rest.row.source) <= bucket.appliedOf(laneId)
      ? []
      : [{ bucket, ...rest }],
  )
  await openAll(lost, pass)
  for (const { bucket, kind, key, row } of lost) {
    const draft = openDraft(bucket, { kind, key }, 0, pass)
    appendToDraft(draft, row)
    bucket.rows++
    foldDraft(bucket, draft, pass)
  }
  pass.noteEvents(chunk.length)
}
