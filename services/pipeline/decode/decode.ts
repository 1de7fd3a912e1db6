// The decode stage: bytes in, values or rejections out, in the order of the messages.
//
// Synchronous and pure. A message whose schema id is not known yet is neither passed nor rejected:
// its id is returned in `missingIds`; the pipeline learns it and decodes the messages again.
// Rejected: a record batch that cannot be read, an empty value, bytes that are not Avro in the wire
// format, an id that the registry does not know, a body that does not fit. Invariant: every message
// has a value or a rejection.

import type { RawMessage, Rejection } from '../records.ts'
import { DecodeFault, type Decoder } from './message-decoder.ts'

export type Decoded<T> = {
  readonly values: readonly (T | null)[]
  readonly rejections: readonly (Rejection | null)[]
  readonly missingIds: ReadonlySet<number>
}

export function decode<T>(messages: readonly RawMessage[], decoder: Decoder<T>): Decoded<T> {
  const values: (T | null)[] = new Array(messages.length)
  const rejections: (Rejection | null)[] = new Array(messages.length)
  const missingIds = new Set<number>()
  for (let i = 0; i < messages.length; i++) {
    const message = messages[i]!
    const { unreadable, value } = message
    const result =
      unreadable === undefined
        ? decoder.decode(value, message)
        : new DecodeFault('WEIR_DECODE_BATCH_UNREADABLE', unreadable.detail)
    if (result instanceof DecodeFault) {
      if (result.missingId !== null) missingIds.add(result.missingId)
      values[i] = null
      rejections[i] = rejectionOf(result)
    } else {
      values[i] = result
      rejections[i] = null
    }
  }
  return { values, rejections, missingIds }
}

export const rejectionOf = ({ code, detail }: DecodeFault): Rejection => ({
  code,
  stage: code.startsWith('WEIR_VALIDATE') ? 'validate' : 'decode',
  detail,
})
