// Messages that begin with the id of their writer's schema, decoded as each id's schema says.
//
//   byte   0      1 2 3 4            5 ...
//         +------+------------------+-----------------------+
//         | 0    | schema id, BE    | body                  |   Confluent wire format
//         +------+------------------+-----------------------+
//
// In: bytes; how to fetch what the registry holds of an id, and how to judge it. Out: a value, or a
// DecodeFault with its code: bad bytes are never thrown. A schema id that was not met before is a
// fault with `missingId`: await learn(missingId), decode again. Invariants: ids already known never
// wait for the registry, and ids that it denied never take their place.

import type { Clock } from '../../core/clock.ts'
import { DecodeFault, type Decoder } from '../../pipeline/decode/message-decoder.ts'
import type { RawMessage } from '../../pipeline/records.ts'
import { createDenials } from './denied-ids.ts'

export const prefixSize = 5
const idMax = 2 ** 31 - 1
/**
 * Writers' schemas kept per topic; far more than a topic has, so that forged ids cannot pile up.
 */
const idsKnownMax = 1000

export type ReadBody<T> = (bytes: Buffer, message: RawMessage | undefined) => T | DecodeFault

type IdDecoderOptions<T, Writer> = {
  /** What the registry has of the id; null where it says that there is none; else throws. */
  readonly fetch: (id: number) => Promise<Writer | null>
  /** How to read the id's bodies, or why that is not possible; asked once per id. */
  readonly judge: (id: number, writer: Writer) => ReadBody<T> | DecodeFault
  readonly clock: Clock
}

const emptyFault = new DecodeFault('WEIR_DECODE_EMPTY', 'found no value')
const guidFault = new DecodeFault('WEIR_DECODE_GUID_PREFIX', 'found first byte 1, expected 0')

export function createIdDecoder<T, Writer>({
  fetch,
  judge,
  clock,
}: IdDecoderOptions<T, Writer>): Decoder<T> {
  const known = new Map<number, ReadBody<T> | DecodeFault>()
  const denials = createDenials(clock)
  const asked = new Map<number, Promise<void>>()

  const decode = (bytes: Buffer | null, message?: RawMessage): T | DecodeFault => {
    if (bytes === null || bytes.length === 0) return emptyFault
    if (bytes[0] !== 0 || bytes.length < prefixSize) return judgePrefix(bytes)
    const id = bytes.readInt32BE(1)
    const knowledge = known.get(id)
    if (knowledge === undefined) return denials.faultOf(id) ?? unknownId(id)
    return knowledge instanceof DecodeFault ? knowledge : knowledge(bytes, message)
  }

  const ask = async (id: number): Promise<void> => {
    const writer = await fetch(id)
    if (writer === null) {
      denials.note(id)
      return
    }
    denials.forget(id)
    if (known.size >= idsKnownMax) known.delete(known.keys().next().value!)
    known.set(id, judge(id, writer))
  }

  const learn = (id: number): Promise<void> => {
    const running = asked.get(id)
    if (running !== undefined) return running
    const started = ask(id).finally(() => asked.delete(id))
    asked.set(id, started)
    return started
  }

  return { decode, learn }
}

export function judgePrefix(bytes: Buffer): DecodeFault {
  if (bytes[0] === 1) return guidFault
  const found = bytes[0] === 0 ? `only ${bytes.length} bytes` : `first byte ${bytes[0]}`
  return new DecodeFault('WEIR_DECODE_NOT_AVRO', `found ${found}, expected 0 and a 4-byte id`)
}

function unknownId(id: number): DecodeFault {
  const isPossible = id > 0 && id <= idMax
  return new DecodeFault('WEIR_DECODE_UNKNOWN_SCHEMA', `unknown id ${id}`, isPossible ? id : null)
}
