// Lanes and admissions for tests of the merge: messages are their event times as text.
//
// `120` is a transaction at 120 ms, `x` is rejected, `?7` waits for schema id 7 until it is known.

import { Lane } from '../../services/lanes/lane.ts'
import { laneIdOf } from '../../services/lanes/lane-input.ts'
import type { Admission } from '../../services/pipeline/pipeline.ts'
import type { Arrival, RawMessage, Stream } from '../../services/pipeline/records.ts'
import { fraudLabelOf, transactionOf } from './batches.ts'

export const messageAt = (offset: number, text: string): RawMessage => ({
  offset,
  brokerTimeMs: 0,
  key: null,
  value: Buffer.from(text),
})

export function openLane(partition: number, stream: Stream = 'transactions'): Lane {
  const laneId = laneIdOf(stream, partition)
  const lane = new Lane({ laneId, stream, topic: stream, partition })
  const brake = { events: 0, flagged: 0, eventsBefore: 0, flaggedBefore: 0 }
  lane.begin({ offset: 0, endOffset: 0, hasCommitted: false, watermarkMs: -1, brake })
  lane.status = 'active'
  return lane
}

/** Hands over texts at the lane's next offsets; `left` more are still in the topic. */
export function feed(lane: Lane, texts: readonly (string | number)[], left = 0): void {
  const from = lane.fetchOffset
  const nextOffset = from + texts.length
  lane.accept({
    messages: texts.map((text, i) => messageAt(from + i, String(text))),
    nextOffset,
    endOffset: nextOffset + left,
  })
}

export function createAdmit(known: ReadonlySet<number> = new Set()) {
  return (stream: Stream, messages: readonly RawMessage[]): Admission => {
    const missing = new Set<number>()
    const arrivals = messages.map((raw): Arrival => {
      const text = raw.value!.toString()
      const id = Number(/^\?(\d+)$/.exec(text)?.[1] ?? 0)
      if (id > 0 && !known.has(id)) missing.add(id)
      return admit(stream, raw, text)
    })
    return missing.size > 0
      ? { arrivals: null, missingIds: missing }
      : { arrivals, missingIds: null }
  }
}

function admit(stream: Stream, raw: RawMessage, text: string): Arrival {
  const eventTime = Number(text)
  if (Number.isNaN(eventTime)) {
    const rejection = { code: 'WEIR_DECODE_NOT_AVRO', stage: 'decode', detail: 'text' } as const
    return { raw, transaction: null, label: null, rejection }
  }
  const transaction = transactionOf({ eventTime })
  return stream === 'transactions'
    ? { raw, transaction, label: null, rejection: null }
    : { raw, transaction: null, label: fraudLabelOf(transaction), rejection: null }
}
