// The decoder port: bytes in, a value or a fault out, synchronously.
//
// Implemented by adapters/registry/avro-codec.ts. A fault with a `missingId` is not yet a verdict:
// the schema id has not been met before, and `learn` asks the registry for it; then decode again.
// Invariant: bad bytes are a value, never an exception.

import type { RejectionCode } from '../../core/errors.ts'
import type { RawMessage } from '../records.ts'

export class DecodeFault {
  readonly code: RejectionCode
  /** The found and the expected in words; never a value of the event. */
  readonly detail: string
  /** A schema id to learn before decoding again; null where asking the registry would not help. */
  readonly missingId: number | null

  constructor(code: RejectionCode, detail: string, missingId: number | null = null) {
    this.code = code
    this.detail = detail
    this.missingId = missingId
  }
}

export type Decoder<T> = {
  /** @param message where the bytes stand, for who takes more than the value; else left out. */
  readonly decode: (bytes: Buffer | null, message?: RawMessage) => T | DecodeFault
  /**
   * Throws WEIR_REGISTRY_AWAY while the registry does not answer; nothing is remembered then.
   * Throws WEIR_REGISTRY_BEHIND while its denial is not believed yet: ask again a little later.
   */
  readonly learn: (id: number) => Promise<void>
}
