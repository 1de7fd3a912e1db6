import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { accelerateFrom } from '../../../../services/adapters/kafka/client/accelerate.ts'
import type {
  Decoder,
  DecoderClass,
  Encoder,
  EncoderClass,
  LoadStock,
  OutgoingMessage,
} from '../../../../services/adapters/kafka/client/acceleration/stock-modules.ts'
import { registerCodecs } from '../../../../services/adapters/kafka/client/batch-codecs.ts'
import { kafkajs } from '../../../../services/adapters/kafka/client/kafka-client.ts'
import { loadTwins } from './kafkajs-twins.ts'
import { createRandom, type Random, randomMessages } from './random-messages.ts'

const twins = loadTwins()
// Weir's codecs take the place of kafkajs' in both: what is compared is all that surrounds them.
for (const load of [twins.stock, twins.accelerated]) {
  const { Codecs } = load<{ Codecs: never }>('protocol/message/compression/index.js')
  registerCodecs({ CompressionCodecs: Codecs, CompressionTypes: kafkajs.CompressionTypes })
}
const seeds = Array.from({ length: 300 }, (_, index) => index + 1)

// Messages without a timestamp get the clock's, which must not tick between the two encoders.
beforeAll(() => {
  vi.useFakeTimers({ toFake: ['Date'], now: 1_750_000_000_123 })
})
afterAll(() => {
  vi.useRealTimers()
})

type Request = { apiKey: number; apiVersion: number; encode: () => Promise<Encoder> }
type MakeRequest = (options: object) => Request
type Frame = (options: object) => Promise<Encoder>

async function encodeProduce(load: LoadStock, version: 3 | 7, options: object): Promise<Buffer> {
  const make = load<MakeRequest>(`protocol/requests/produce/v${version}/request.js`)
  const frame = load<Frame>('protocol/request.js')
  const framed = await frame({ correlationId: 77, clientId: 'weir', request: make(options) })
  return framed.buffer
}

async function expectSameProduce(seed: number, version: 3 | 7, options: object): Promise<void> {
  const expected = await encodeProduce(twins.stock, version, options)
  const found = await encodeProduce(twins.accelerated, version, options)
  if (!found.equals(expected)) {
    const at = expected.findIndex((byte, index) => byte !== found[index])
    throw new Error(
      `seed ${seed}: ${found.length} bytes, expected ${expected.length}, first different at ${at}`,
    )
  }
}

function randomProduce(random: Random, counts: readonly number[]): object {
  const topicData = Array.from({ length: 1 + random.below(3) }, (_, topic) => ({
    topic: `topic-${topic}-ż`,
    partitions: Array.from({ length: 1 + random.below(3) }, (_, partition) => ({
      partition,
      firstSequence: random.pick([undefined, 0, 5, 2 ** 31 - 1]),
      messages: randomMessages(random, random.pick(counts)),
    })),
  }))
  return {
    acks: random.pick([-1, 0, 1]),
    timeout: 30_000,
    transactionalId: random.pick([undefined, null, 'card-fraud.transactions.3']),
    producerId: random.pick([undefined, -1, 4000n, 2n ** 62n]),
    producerEpoch: random.pick([undefined, 0, 32_767]),
    compression: random.pick([undefined, 0, 0, 1, 4]),
    topicData,
  }
}

describe('accelerate', () => {
  it('accelerate - replaces the functions of the installed kafkajs', () => {
    expect(twins.acceleration).toEqual({ isAccelerated: true, reason: 'kafkajs 2.2.4' })
    const path = 'protocol/requests/produce/v3/request.js'
    expect(twins.accelerated(path)).not.toBe(twins.stock(path))
  })

  it('accelerate - encodes produce requests to the same bytes, 300 seeds', async () => {
    for (const seed of seeds) {
      const random = createRandom(seed)
      const options = randomProduce(random, [1, 1, 2, 3, 10, 70, 140])
      await expectSameProduce(seed, random.pick([3, 7] as const), options)
    }
  })

  it('accelerate - encodes large batches and large values to the same bytes', async () => {
    const large = createRandom(4711)
    const topicData = (messages: readonly OutgoingMessage[]) => [
      { topic: 'large', partitions: [{ partition: 0, firstSequence: 1, messages }] },
    ]
    const options = { acks: -1, timeout: 1, transactionalId: 'id', producerId: 9n }
    const many = topicData(randomMessages(large, 5000))
    await expectSameProduce(4711, 7, { ...options, topicData: many })
    const values = [large.bytes(1 << 20), 'ż'.repeat(1 << 19), null]
    const bigValues = topicData(values.map((value) => ({ key: 'big', value })))
    await expectSameProduce(4711, 7, { ...options, topicData: bigValues })
  })

  it.each([
    ['a header without a value', [{ value: 'a', headers: { empty: null } }]],
    ['a timestamp with a fraction', [{ value: 'a', timestamp: 1.5 }]],
    [
      'big integers among timestamps',
      [
        { value: 'a', timestamp: 5n },
        { value: 'b', timestamp: 6 },
      ],
    ],
  ])('accelerate - refuses %s just as stock kafkajs does', async (_name, messages) => {
    const topicData = [{ topic: 'bad', partitions: [{ partition: 0, messages }] }]
    const options = { acks: -1, timeout: 1, topicData }
    const failureOf = (load: LoadStock) =>
      encodeProduce(load, 7, options).then(
        () => 'accepted',
        (cause: unknown) => String(cause),
      )
    expect(await failureOf(twins.accelerated)).toBe(await failureOf(twins.stock))
    expect(await failureOf(twins.stock)).not.toBe('accepted')
  })

  it('accelerate - computes the same checksum', () => {
    const path = 'protocol/recordBatch/crc32C/index.js'
    const expected = twins.stock<(buffer: Buffer) => number>(path)
    const found = twins.accelerated<(buffer: Buffer) => number>(path)
    const random = createRandom(99)
    for (const size of [0, 1, 7, 64, 1000, 100_000]) {
      const bytes = random.bytes(size)
      expect(found(bytes)).toBe(expected(bytes))
    }
  })

  it('accelerate - groups messages by partition in the same way', () => {
    type Group = (options: object) => Record<number, object[]>
    const path = 'producer/groupMessagesPerPartition.js'
    const messages = randomMessages(createRandom(5), 500)
    const group = (load: LoadStock, partitionMetadata: readonly object[]) => {
      const asked: unknown[] = []
      const partitioner = (options: { message: object }) => asked.push(options) % 7
      const topic = 'topic'
      return {
        asked,
        grouped: load<Group>(path)({ topic, partitionMetadata, messages, partitioner }),
      }
    }
    for (const partitions of [[], [{ partitionId: 0 }]]) {
      expect(group(twins.accelerated, partitions)).toEqual(group(twins.stock, partitions))
    }
  })
})

type BatchEncoder = { RecordBatch: (options: object) => Promise<Encoder> }
type FetchResponse = { decode: (raw: Buffer) => Promise<FetchedResponse> }
type FetchedPartition = { messages: { offset: string; value: Buffer | null }[] }
type FetchedResponse = { responses: { partitions: FetchedPartition[] }[] }

const positionOfAttributes = 21
const appendTimeFlag = 0x8
const controlFlag = 0x20

/** A record batch as a broker would return it, which differs from what a producer may send. */
async function randomBatch(random: Random, count: number): Promise<Buffer> {
  const { RecordBatch } = twins.stock<BatchEncoder>('protocol/recordBatch/v0/index.js')
  const encodeRecord = twins.stock<(record: object) => Encoder>(
    'protocol/recordBatch/record/v0/index.js',
  )
  const step = random.pick([1, 1, 1, 3])
  const isFar = random.below(8) === 0
  const spread = random.pick([1, 100, 2 ** 20, 2 ** 40, 2 ** 52])
  const records = randomMessages(random, count).map((message, index) =>
    encodeRecord({
      ...message,
      offsetDelta: index * step,
      timestampDelta: isFar
        ? 2n ** 58n + BigInt(random.below(1000))
        : random.pick([-1, 0, 1]) * random.below(spread),
    }),
  )
  const { buffer } = await RecordBatch({
    compression: random.pick([0, 0, 1]),
    firstOffset: random.pick([0, 17, 123_456_789_012, 2n ** 53n, 2n ** 60n]),
    firstTimestamp: random.pick([-1, 0, 1_700_000_000_000, 2 ** 52, 2n ** 61n]),
    maxTimestamp: random.pick([0, 1_700_000_009_999]),
    producerId: random.pick([-1, 4000]),
    transactional: random.below(2) === 1,
    lastOffsetDelta: count * step,
    records,
  })
  const flags = random.pick([0, 0, appendTimeFlag, controlFlag])
  const at = positionOfAttributes
  buffer.writeInt16BE(buffer.readInt16BE(at) | flags, at)
  return buffer
}

/** A fetch response (version 11) with one partition that holds the given record set. */
function fetchResponse(
  recordSet: Buffer,
  abortedTransactions: readonly (readonly number[])[] = [],
) {
  const EncoderOfKafkajs = twins.stock<EncoderClass>('protocol/encoder.js')
  const encoder = new EncoderOfKafkajs()
  encoder.writeInt32(0).writeInt16(0).writeInt32(0).writeInt32(1)
  encoder.writeString('topic').writeInt32(1).writeInt32(0).writeInt16(0)
  encoder.writeInt64(1000).writeInt64(1000).writeInt64(0).writeInt32(abortedTransactions.length)
  for (const [producerId, firstOffset] of abortedTransactions) {
    encoder.writeInt64(producerId).writeInt64(firstOffset)
  }
  encoder.writeInt32(-1).writeInt32(recordSet.length)
  return Buffer.concat([encoder.buffer, recordSet])
}

const decodeFetch = (load: LoadStock, raw: Buffer) =>
  load<FetchResponse>('protocol/requests/fetch/v11/response.js').decode(raw)

describe('accelerate - decoding', () => {
  it('accelerate - decodes fetched batches to the same messages, 300 seeds', async () => {
    for (const seed of seeds) {
      const random = createRandom(seed)
      const batches: Buffer[] = []
      for (let index = random.below(4); index >= 0; index--) {
        batches.push(await randomBatch(random, random.pick([0, 1, 2, 70, 300])))
      }
      const whole = Buffer.concat(batches)
      // A broker cuts the last batch off where the response is full.
      const cut = random.below(3) === 0 ? random.below(60) : 0
      const raw = fetchResponse(whole.subarray(0, whole.length - cut))
      const expected = await decodeFetch(twins.stock, raw).catch(String)
      const found = await decodeFetch(twins.accelerated, raw).catch(String)
      expect(isDeepStrictEqual(found, expected), `seed ${seed}`).toBe(true)
      if (typeof expected === 'string' || typeof found === 'string') continue
      const fields = (response: FetchedResponse) =>
        Object.keys(response.responses[0]!.partitions[0]!.messages[0] ?? {})
      expect(fields(found), `seed ${seed}`).toEqual(fields(expected))
    }
  })

  it('accelerate - decodes what it encoded, 5000 records', async () => {
    const messages = randomMessages(createRandom(8), 5000)
    const topicData = [{ topic: 't', partitions: [{ partition: 0, messages }] }]
    const request = twins.accelerated<MakeRequest>('protocol/requests/produce/v7/request.js')
    const encoded = await request({ acks: -1, timeout: 1, topicData }).encode()
    const recordSetStart = encoded.buffer.indexOf(Buffer.from([0, 1, 0x74])) + 3 + 12
    const raw = fetchResponse(encoded.buffer.subarray(recordSetStart))
    const { responses } = await decodeFetch(twins.accelerated, raw)
    const decoded = responses[0]!.partitions[0]!.messages
    const bytes = (value: unknown) => (value === null ? null : Buffer.from(value as string))
    expect(decoded.map(({ offset }) => Number(offset))).toEqual(messages.map((_, index) => index))
    expect(
      isDeepStrictEqual(
        decoded.map(({ value }) => value),
        messages.map(({ value }) => bytes(value)),
      ),
    ).toBe(true)
  })

  type Batch = Record<string, unknown> & Record<string, () => unknown>
  type BatchClass = new (topic: string, fetchedOffset: unknown, data: object) => Batch
  const batchMethods = [
    'isEmpty',
    'isEmptyIncludingFiltered',
    'isEmptyDueToFiltering',
    'isEmptyControlRecord',
    'isEmptyDueToLogCompactedMessages',
    'firstOffset',
    'lastOffset',
    'offsetLag',
    'offsetLagLow',
  ]

  const farOffset = String(2n ** 60n + 10n)

  it('accelerate - hands the consumer the same batch: offsets, aborted and control messages', async () => {
    for (const seed of seeds.slice(0, 100)) {
      const random = createRandom(seed)
      const sets = [await randomBatch(random, 20), await randomBatch(random, 20)]
      const aborted = random.pick([[], [[4000, 0]], [[4000, 17]]])
      const raw = fetchResponse(Buffer.concat(sets), aborted)
      const { responses } = await decodeFetch(twins.stock, raw)
      const data = responses[0]!.partitions[0]!
      const fetchedOffset = random.pick(['0', '5', '20', '123456789020', farOffset, '-1'])
      const describeBatch = (load: LoadStock) => {
        const Batch = load<BatchClass>('consumer/batch.js')
        const batch = new Batch('topic', fetchedOffset, data)
        expect(batch).toBeInstanceOf(Batch)
        return { ...batch, answers: batchMethods.map((name) => batch[name]!()) }
      }
      const expected = describeBatch(twins.stock)
      const found = describeBatch(twins.accelerated)
      expect(isDeepStrictEqual(found, expected), `seed ${seed}`).toBe(true)
    }
  })

  it('accelerate - refuses a batch that was cut off just as stock kafkajs does', async () => {
    const batch = await randomBatch(createRandom(3), 10)
    const decode = (load: LoadStock) => {
      const DecoderOfKafkajs = load<DecoderClass>('protocol/decoder.js')
      const decodeBatch = load<(decoder: Decoder) => Promise<unknown>>(
        'protocol/recordBatch/v0/decoder.js',
      )
      return decodeBatch(new DecoderOfKafkajs(batch.subarray(0, batch.length - 1)))
    }
    const failure = await decode(twins.stock).catch((cause: Error) => cause)
    expect(failure).toMatchObject({ name: 'KafkaJSPartialMessageError' })
    await expect(decode(twins.accelerated)).rejects.toMatchObject({
      name: 'KafkaJSPartialMessageError',
      message: (failure as Error).message,
    })
  })
})

describe('accelerate - guard', () => {
  const folder = mkdtempSync(join(tmpdir(), 'weir-kafkajs-'))
  const requireHere = createRequire(import.meta.url)
  afterAll(() => rmSync(folder, { recursive: true }))

  function copyOfKafkajs(name: string, version: string): NodeJS.Require {
    const target = join(folder, name, 'node_modules', 'kafkajs')
    mkdirSync(target, { recursive: true })
    const source = dirname(requireHere.resolve('kafkajs/package.json'))
    for (const part of ['src', 'index.js'])
      cpSync(join(source, part), join(target, part), { recursive: true })
    writeFileSync(join(target, 'package.json'), JSON.stringify({ name: 'kafkajs', version }))
    return createRequire(join(folder, name, 'place.js'))
  }

  const groupPath = 'kafkajs/src/producer/groupMessagesPerPartition.js'

  it('accelerate - leaves another version as it is, and says so', () => {
    const require = copyOfKafkajs('newer', '2.2.5')
    expect(accelerateFrom(require, {})).toEqual({
      isAccelerated: false,
      reason: 'kafkajs 2.2.5 is installed, the replacements are for 2.2.4',
    })
    expect(String(require(groupPath))).toContain('Object.assign(result')
  })

  it('accelerate - leaves kafkajs as it is where WEIR_KAFKAJS_STOCK=1', () => {
    const require = copyOfKafkajs('stock', '2.2.4')
    expect(accelerateFrom(require, { WEIR_KAFKAJS_STOCK: '1' })).toEqual({
      isAccelerated: false,
      reason: 'WEIR_KAFKAJS_STOCK=1',
    })
    expect(String(require(groupPath))).toContain('Object.assign(result')
  })

  it('accelerate - leaves kafkajs as it is where it was loaded before', () => {
    const require = copyOfKafkajs('loaded', '2.2.4')
    require('kafkajs')
    const { isAccelerated, reason } = accelerateFrom(require, {})
    expect([isAccelerated, reason]).toEqual([
      false,
      'kafkajs was loaded before accelerateKafkajs() was called',
    ])
  })

  it('accelerate - puts everything back where one replacement cannot be made', () => {
    const require = copyOfKafkajs('broken', '2.2.4')
    rmSync(require.resolve('kafkajs/src/consumer/batch.js'))
    const { isAccelerated, reason } = accelerateFrom(require, {})
    expect(isAccelerated).toBe(false)
    expect(reason).toMatch(/^a replacement could not be made: .*batch/)
    expect(String(require(groupPath))).toContain('Object.assign(result')
    const crcPath = 'kafkajs/src/protocol/recordBatch/crc32C/index.js'
    expect(String(require(crcPath))).toContain('unsigned(crc32C(buffer))')
  })

  it('accelerate - serves the accelerated modules to kafkajs itself', () => {
    const require = copyOfKafkajs('same', '2.2.4')
    expect(accelerateFrom(require, {}).isAccelerated).toBe(true)
    const { Kafka } = require('kafkajs') as { Kafka: unknown }
    expect(Kafka).toBeTypeOf('function')
    expect(String(require(groupPath))).not.toContain('Object.assign(result')
  })
})
