// The input topic once more: what the stages make of each message, in the order of its partition.
//
// In: messages of each partition, pulled as far as they are asked for. Out: accepted transactions
// with their lateness, as live scoring met them; and for each message the outcome it must have.
// Refused: what decode and validate refuse, which has no transaction here. Invariant: lateness and
// verdict follow from the partition's order alone; memory holds the messages between the one asked
// for last and the furthest read, which outputs have not named yet.

import type { PipelineDefinition } from '../../core/pipeline-definition.ts'
import type { Decoded } from '../../pipeline/decode/decode.ts'
import { decodeLearning } from '../../pipeline/decode/decode-learning.ts'
import type { Decoder } from '../../pipeline/decode/message-decoder.ts'
import type { RawMessage, Transaction } from '../../pipeline/records.ts'
import { planValidate, validateTransaction } from '../../pipeline/validate/validate.ts'
import type { OutcomeKind, Span } from '../labels/outcome-ledger.ts'

export type Received = {
  readonly transaction: Transaction
  /** The partition's highest event time before it, minus its own, at least 0; ms. */
  readonly latenessMs: number
}

type LaneReading = {
  readonly partition: number
  readonly span: Span
  readonly messages: AsyncIterable<readonly RawMessage[]>
}

export type ReceivedLanes = {
  /** The transaction at this offset, once; null if the stages refuse it or nothing is there. */
  readonly take: (partition: number, offset: number) => Promise<Received | null>
  /** Reads on until everything below the offset was seen. */
  readonly readUntil: (partition: number, offset: number) => Promise<void>
  /** Whether everything below the offset was seen. */
  readonly hasRead: (partition: number, offset: number) => boolean
  /** What is read from an offset on and was not taken yet. */
  readonly untaken: (partition: number, from: number) => readonly Received[]
}

type ReceivedOptions = {
  readonly definition: PipelineDefinition
  readonly decoder: Decoder<Transaction>
  /** Whether the message was refused because the registry did not know its schema at that time. */
  readonly wasUnknown: (partition: number, offset: number) => boolean
  /** Whether the event was counted, and then set aside for what came of it later. */
  readonly wasSetAside: (partition: number, offset: number) => boolean
  readonly expect: (partition: number, offset: number, outcome: OutcomeKind) => void
}

type Lane = {
  readonly partition: number
  readonly span: Span
  readonly iterator: AsyncIterator<readonly RawMessage[]>
  readonly received: Map<number, Received>
  /** Offset behind the last message read. */
  next: number
  watermarkMs: number
}

export function openReceivedLanes(
  readings: readonly LaneReading[],
  options: ReceivedOptions,
): ReceivedLanes {
  const lanes = new Map<number, Lane>()
  for (const { partition, span, messages } of readings) {
    lanes.set(partition, {
      partition,
      span,
      iterator: messages[Symbol.asyncIterator](),
      received: new Map(),
      next: span.from,
      watermarkMs: -1,
    })
  }

  const readUntil = async (partition: number, offset: number): Promise<void> => {
    const lane = lanes.get(partition)
    while (lane !== undefined && lane.next < Math.min(offset, lane.span.to)) {
      const { value, done } = await lane.iterator.next()
      if (done === true) lane.next = lane.span.to
      else admitAll(lane, await decodeLearning(value, options.decoder), value, options)
    }
  }

  return {
    readUntil,
    hasRead: (partition, offset) => (lanes.get(partition)?.next ?? 0) >= offset,
    take: async (partition, offset) => {
      const lane = lanes.get(partition)
      if (lane === undefined || offset < lane.span.from || offset >= lane.span.to) return null
      if (offset >= lane.next) await readUntil(partition, offset + 1)
      const received = lane.received.get(offset) ?? null
      lane.received.delete(offset)
      return received
    },
    untaken: (partition, from) =>
      [...(lanes.get(partition)?.received ?? [])]
        .filter(([offset]) => offset >= from)
        .map(([, received]) => received),
  }
}

function admitAll(
  lane: Lane,
  { values, rejections }: Pick<Decoded<Transaction>, 'values' | 'rejections'>,
  messages: readonly RawMessage[],
  { definition, wasUnknown, wasSetAside, expect }: ReceivedOptions,
): void {
  const { partition, received } = lane
  const { late } = definition
  const rules = planValidate(definition)
  for (const [i, raw] of messages.entries()) {
    const transaction = values[i]!
    lane.next = raw.offset + 1
    if (rejections[i]?.code === 'WEIR_DECODE_SKIPPED') continue
    const isAccepted =
      transaction !== null &&
      validateTransaction(transaction, raw, rules) === null &&
      !wasUnknown(partition, raw.offset)
    if (!isAccepted) {
      expect(partition, raw.offset, 'rejected')
      continue
    }
    const latenessMs = Math.max(0, lane.watermarkMs - transaction.eventTime)
    lane.watermarkMs = Math.max(lane.watermarkMs, transaction.eventTime)
    const isDiverted = latenessMs > late.allowedMs && late.then === 'divert'
    const isAside = wasSetAside(partition, raw.offset)
    expect(partition, raw.offset, isDiverted ? 'late' : isAside ? 'rejected' : 'scored')
    if (!isDiverted) received.set(raw.offset, { transaction, latenessMs })
  }
}
