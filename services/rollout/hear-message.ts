// One message of the scored topic or of the labels, decoded for who hears it.
//
// In: a lane and its message. Out: a function that tells it and gives back its time (an event was
// scored then, a label was told then); null for what cannot be read, which is passed over. Thrown:
// WEIR_REGISTRY_AWAY. Invariant: a message whose schema is known needs no promise.

import type { LaneAddress } from '../lanes/lane-input.ts'
import { decodeOneLearning } from '../pipeline/decode/decode-learning.ts'
import { DecodeFault, type Decoder } from '../pipeline/decode/message-decoder.ts'
import type { ScoredTransactionRecord } from '../pipeline/publish/output-records.ts'
import type { Label, RawMessage } from '../pipeline/records.ts'

export type Hearers = {
  readonly decoders: {
    readonly scored: Decoder<ScoredTransactionRecord>
    readonly labels: Decoder<Label>
  }
  readonly hear: {
    readonly scored: (event: ScoredTransactionRecord) => void
    readonly label: (label: Label, brokerTimeMs: number) => void
  }
}

/** Who hears a message gives back its time; null where it cannot be read. */
type Hear = () => number

/** A promise only where a schema has to be asked for first: most messages are heard at once. */
export function createHearing({ decoders, hear }: Hearers) {
  const labelOf =
    ({ brokerTimeMs }: RawMessage) =>
    (label: Label) => {
      hear.label(label, brokerTimeMs)
      return brokerTimeMs
    }
  const scored = (event: ScoredTransactionRecord) => {
    hear.scored(event)
    return event.scoredTime
  }
  return ({ stream }: LaneAddress, message: RawMessage): Hear | null | Promise<Hear | null> =>
    stream === 'labels'
      ? decodeTo(decoders.labels, message.value, labelOf(message))
      : decodeTo(decoders.scored, message.value, scored)
}

function decodeTo<T>(
  decoder: Decoder<T>,
  bytes: Buffer | null,
  hear: (value: T) => number,
): Hear | null | Promise<Hear | null> {
  const hearing = (value: T | DecodeFault): Hear | null =>
    value instanceof DecodeFault ? null : () => hear(value)
  const value = decoder.decode(bytes)
  if (!(value instanceof DecodeFault) || value.missingId === null) return hearing(value)
  return decodeOneLearning(bytes, decoder).then(hearing)
}
