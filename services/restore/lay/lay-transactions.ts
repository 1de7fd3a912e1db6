// Committed transactions that were lost, back at the ordinals that were published for them.
//
// In: the journal and the messages of a pass. Out: rows in the buckets' drafts, and how many labels
// scored events have seen. Lanes are read side by side in the order in which they were scored, so
// that few rows wait for the ones before them. Refused (WEIR_ENRICH_STATE_LOST): a scored event
// whose message is gone, or that was scored with another number of entities. Renumbering needs no
// ordinals: rows follow one another as the live lanes would merge them.

import { WeirError } from '../../core/errors.ts'
import type { Arrival } from '../../pipeline/records.ts'
import type { JournalEntry } from '../plan/history.ts'
import type { PassContext, PassLane } from '../plan/restore-context.ts'
import { decodeScored } from '../read/admit-messages.ts'
import { mergeByTime } from '../read/merge-by-time.ts'
import type { LogName } from '../restorable-store.ts'
import { type BucketDraft, layNext, layPublished, openAll, openDraft } from './bucket-draft.ts'
import { collectRows, rowAt } from './collect-rows.ts'

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
  const read = pass.renumber ? readOneByOne : readScored
  for await (const chunk of mergeByTime(lanes.map((lane) => read(lane, pass)))) {
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
      if (!pass.renumber) checkEntities(chunk, pass)
      const messages = await lane.cursor.match(chunk.map(({ sourceOffset }) => sourceOffset))
      const found = messages.map((message, i) => message ?? failMissing(lane, chunk[i]!))
      const arrivals = await decodeScored(found, pass.stages)
      yield { atMs: chunk[0]!.scoredTimeMs, lane, entries: chunk, arrivals }
    }
  }
}

/** Without ordinals the order is that of the live merge: by the lane's highest event time. */
async function* readOneByOne(lane: PassLane, pass: PassContext): AsyncGenerator<ScoredChunk> {
  let atMs = Number.NEGATIVE_INFINITY
  for await (const { entries, arrivals } of readScored(lane, pass)) {
    for (const [i, arrival] of arrivals.entries()) {
      atMs = Math.max(atMs, arrival.transaction!.eventTime)
      yield { atMs, lane, entries: [entries[i]!], arrivals: [arrival] }
    }
  }
}

function checkEntities(entries: readonly JournalEntry[], { plan }: PassContext): void {
  const other = entries.find(({ ordinals }) => ordinals.length !== plan.entities.length)
  if (other === undefined) return
  const detail =
    `Scored events have the ordinals of ${other.ordinals.length} entities, the pipeline file names ` +
    `${plan.entities.length}, so ordinals cannot go on. \`weir rebuild --renumber\` begins them at 0.`
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
  /** Index of the transaction in the chunk, and of the entity or the labels within it. */
  readonly event: number
  readonly column: number
}

async function layChunk(chunk: ScoredChunk, pass: PassContext): Promise<void> {
  const { plan } = pass
  const { address } = chunk.lane.lane
  const collected = collectRows(address, chunk.arrivals, plan)
  const { kinds, keys, count } = collected.records
  const perEvent = plan.entities.length + plan.labelEntityCount
  const places: Place[] = []
  for (let entry = 0; entry < count; entry++) {
    const event = Math.floor(entry / perEvent)
    const key = keys[entry]!
    const bucket = pass.bucketOf(key)
    if (bucket === null) continue
    if (chunk.entries[event]!.sourceOffset <= bucket.appliedOf(address.laneId)) continue
    places.push({ bucket, kind: kinds[entry]!, key, entry, event, column: entry % perEvent })
  }
  await openAll(places, pass)
  for (const place of places) {
    if (place.column >= plan.entities.length) noteLabelsSeen(place, chunk, pass)
    else layRow(place, chunk, { row: rowAt(collected, place.entry, plan), pass })
  }
}

function layRow(
  { bucket, kind, key, event, column }: Place,
  { entries, arrivals }: ScoredChunk,
  { row: own, pass }: { row: ReturnType<typeof rowAt>; pass: PassContext },
): void {
  const { ordinals } = entries[event]!
  // Without the same entities, one that was not counted was not counted for any of them.
  const ordinal = ordinals[pass.renumber ? 0 : column] ?? 0
  if (ordinal < 0) return
  if (pass.renumber) {
    layNext(bucket, { kind, key, row: own }, pass)
    return
  }
  const { raw, transaction } = arrivals[event]!
  const { features, saturated } = entries[event]!
  const row = { ...own, witness: { transaction: transaction!, features, saturated } }
  layPublished(bucket, { kind, key, ordinal, row, brokerTimeMs: raw.brokerTimeMs }, pass)
}

/** So many labels were in the log when this event was scored, whoever had brought them. */
function noteLabelsSeen(
  { bucket, kind, key, event, column }: Place,
  { entries }: ScoredChunk,
  pass: PassContext,
): void {
  const { plan, renumber } = pass
  const { labelsSeen } = entries[event]!
  if (renumber || labelsSeen.length !== plan.labelEntityCount) return
  const seen = labelsSeen[column - plan.entities.length]!
  if (seen === 0) return
  const draft = openDraft(bucket, { kind, key }, 0, pass)
  draft.seenEnd = Math.max(draft.seenEnd, seen)
}
