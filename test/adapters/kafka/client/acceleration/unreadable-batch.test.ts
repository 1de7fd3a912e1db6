import { describe, expect, it } from 'vitest'
import type { IncomingMessage } from '../../../../../services/adapters/kafka/client/acceleration/record-decoding.ts'
import type {
  Decoder,
  DecoderClass,
  LoadStock,
} from '../../../../../services/adapters/kafka/client/acceleration/stock-modules.ts'
import { registerCodecs } from '../../../../../services/adapters/kafka/client/batch-codecs.ts'
import { kafkajs } from '../../../../../services/adapters/kafka/client/kafka-client.ts'
import { asText, javaBatch, javaCodecs, javaEvents } from '../java-events.ts'
import { loadTwins } from '../kafkajs-twins.ts'

const { accelerated } = loadTwins()
const compression = accelerated<{ Codecs: never }>('protocol/message/compression/index.js')
registerCodecs({
  CompressionCodecs: compression.Codecs,
  CompressionTypes: kafkajs.CompressionTypes,
})

/** As the fetch response hands a partition's bytes to the batch decoder. */
async function decodeFetch(load: LoadStock, batches: readonly Buffer[]) {
  const DecoderOfKafkajs = load<DecoderClass>('protocol/decoder.js')
  const decode = load<(decoder: Decoder) => Promise<IncomingMessage[]>>(
    'protocol/requests/fetch/v4/decodeMessages.js',
  )
  const size = Buffer.alloc(4)
  const bytes = Buffer.concat(batches)
  size.writeInt32BE(bytes.length)
  return decode(new DecoderOfKafkajs(Buffer.concat([size, bytes])))
}

/** A batch of the Java client, changed. */
function changed(codec: string, change: (bytes: Buffer) => void): Buffer {
  const bytes = Buffer.from(javaBatch(codec))
  change(bytes)
  return bytes
}

const lastOffset = 100 + javaEvents.length - 1
const countAt = 57

describe('unreadable-batch', () => {
  it.each(javaCodecs)(
    'unreadable-batch - is not what a Java client makes with %s',
    async (codec) => {
      const messages = await decodeFetch(accelerated, [javaBatch(codec)])
      expect(messages.map(({ offset }) => Number(offset))).toEqual(
        javaEvents.map((_, i) => 100 + i),
      )
      expect(
        messages.map(({ key, value }) => ({ key: asText(key), value: asText(value) })),
      ).toEqual(javaEvents)
    },
  )

  it.each([
    ['snappy whose length is forged', changed('snappy', (bytes) => bytes.fill(0xff, 81, 86))],
    ['lz4 that is cut short', changed('lz4', (bytes) => bytes.fill(0, 61 + 7, 61 + 11))],
    ['gzip that is garbage', changed('gzip', (bytes) => bytes.fill(0x5a, 61))],
    ['zstd that is garbage', changed('zstd', (bytes) => bytes.fill(0x5a, 61))],
    ['a codec that is none', changed('zstd', (bytes) => bytes.writeInt16BE(7, 21))],
    ['a forged count', changed('zstd', (bytes) => bytes.writeInt32BE(2 ** 31 - 1, countAt))],
    ['more records than bytes', changed('none', (bytes) => bytes.writeInt32BE(40_000, countAt))],
    ['a record too many', changed('none', (bytes) => bytes.writeInt32BE(41, countAt))],
    ['a forged record size', changed('none', (bytes) => bytes.fill(0xff, 61, 65))],
  ])('unreadable-batch - stands for %s, and what follows is read', async (_what, bytes) => {
    const messages = await decodeFetch(accelerated, [bytes, javaBatch('none')])
    expect(messages).toHaveLength(1 + javaEvents.length)
    const [first] = messages
    expect(first).toMatchObject({ offset: String(lastOffset), key: null, headers: {} })
    expect(first!.value!.equals(bytes)).toBe(true)
    expect(first!.unreadable).toMatchObject({ firstOffset: 100 })
    expect(first!.unreadable!.detail).toMatch(
      /^the record batch of offsets 100 to 139 cannot be read: ./,
    )
  })

  it('unreadable-batch - a fetch unpacks to 16 MiB and a batch; what is left comes next', async () => {
    const { default: zlib } = await import('node:zlib')
    const record = Buffer.concat([varint(9_000_006), Buffer.from([0, 0, 0, 1]), varint(9_000_000)])
    const plain = Buffer.concat([record, Buffer.alloc(9_000_000), Buffer.from([0])])
    plain.set(varint(record.length - varint(9_000_006).length + 9_000_001), 0)
    const head = Buffer.from(javaBatch('zstd').subarray(0, 61))
    const packed = zlib.zstdCompressSync(plain)
    head.writeInt32BE(49 + packed.length, 8)
    head.writeInt32BE(1, countAt)
    const batch = Buffer.concat([head, packed])
    const messages = await decodeFetch(accelerated, Array(5).fill(batch))
    expect(messages.map(({ value }) => value?.length)).toEqual([9_000_000, 9_000_000])
  })
})

function varint(value: number): Buffer {
  const bytes: number[] = []
  let left = value * 2
  for (; left >= 0x80; left = Math.floor(left / 128)) bytes.push((left % 128) | 0x80)
  return Buffer.from([...bytes, left])
}
