// The shapes of the kafkajs 2.2.4 modules that the replacements stand on, as far as they use them.
// kafkajs ships types for its public face only; these were read from its source.
// Invariant: nothing here is Weir's own; a name is exactly the name that kafkajs uses.

/** kafkajs' growing write buffer; other encoders take `buf` for proof that one is an Encoder. */
export type Encoder = {
  buf: Buffer
  offset: number
  readonly buffer: Buffer
  size(): number
  writeInt8(value: number): Encoder
  writeInt16(value: number): Encoder
  writeInt32(value: number): Encoder
  writeUInt32(value: number): Encoder
  writeInt64(value: unknown): Encoder
  writeString(value: string | null | undefined): Encoder
}
export type EncoderClass = new (initialSize?: number) => Encoder

/** kafkajs' read position in a buffer. */
export type Decoder = {
  readonly buffer: Buffer
  offset: number
  readInt8(): number
  readInt16(): number
  readInt32(): number
  readInt64(): bigint
  readAll(): Buffer
  slice(size: number): Decoder
  forward(size: number): void
}
export type DecoderClass = new (buffer: Buffer) => Decoder

/** A message as the caller of `send` gives it; nothing about it has been checked. */
export type OutgoingMessage = {
  readonly key?: unknown
  readonly value?: unknown
  readonly timestamp?: unknown
  readonly headers?: unknown
}

export type Codec = {
  compress(encoder: { readonly buffer: Buffer }): Promise<Buffer>
  decompress(buffer: Buffer): Promise<Buffer>
}

/** Requires one module of kafkajs by its path below `src/`. */
export type LoadStock = <Exports>(path: string) => Exports
