// Puts the header before an encoded request. In: correlation id, client id, the request. Out: an
// Encoder that holds size, header and body.
//
//   size int32 | api key int16 | api version int16 | correlation id int32 | client id string | body
//
// The stock function copies the body twice through zero-filled buffers of the next power of two;
// this one copies it once into a buffer of the exact size.

import type { Encoder, EncoderClass, LoadStock } from './stock-modules.ts'

type Framing = {
  readonly correlationId: number
  readonly clientId: string | null | undefined
  readonly request: {
    readonly apiKey: number
    readonly apiVersion: number
    readonly encode: () => Promise<Encoder>
  }
}

const sizeOfInt32 = 4

export function replaceRequestFrame(load: LoadStock) {
  const EncoderOfKafkajs = load<EncoderClass>('protocol/encoder.js')
  return async ({ correlationId, clientId, request }: Framing): Promise<Encoder> => {
    const body = (await request.encode()).buffer
    const header = new EncoderOfKafkajs(64)
      .writeInt32(0)
      .writeInt16(request.apiKey)
      .writeInt16(request.apiVersion)
      .writeInt32(correlationId)
      .writeString(clientId).buffer
    header.writeInt32BE(header.length - sizeOfInt32 + body.length, 0)
    return encoderOf(EncoderOfKafkajs, Buffer.concat([header, body]))
  }
}

/** Dresses a finished buffer as an Encoder, which is what kafkajs passes on. */
export function encoderOf(EncoderOfKafkajs: EncoderClass, buffer: Buffer): Encoder {
  const encoder = new EncoderOfKafkajs(1)
  encoder.buf = buffer
  encoder.offset = buffer.length
  return encoder
}
