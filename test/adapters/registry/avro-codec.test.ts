// The codec without a registry: wire prefix, faults, learning, hostile bytes, slabs.

import avsc from 'avsc'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { createDecoder, createEncoder } from '../../../services/adapters/registry/avro-codec.ts'
import { readSchema, schemaFiles } from '../../../services/adapters/registry/schema-files.ts'
import { limits } from '../../../services/core/limits.ts'
import { DecodeFault, type Decoder } from '../../../services/pipeline/decode/message-decoder.ts'

const transactionSchema = readSchema('transaction')
const transaction = {
  transactionId: 't-1',
  eventTime: 1_767_225_600_000,
  customerId: 'c-1',
  terminalId: 'm-1',
  amountMinor: 4550,
  currency: 'EUR',
  mcc: '0742',
  country: null,
  channel: null,
  deviceId: null,
  ipAddress: null,
}
const encodeTransaction = createEncoder<typeof transaction>(transactionSchema, 7)

/** A decoder that has learnt id 7 with this writer's schema. */
async function decoderOf(reader: string, writer = reader): Promise<Decoder<unknown>> {
  const decoder = createDecoder<unknown>(reader, async () => writer)
  await decoder.learn(7)
  return decoder
}

const framed = (body: readonly number[]): Buffer => Buffer.from([0, 0, 0, 0, 7, ...body])
const recordOf = (...fields: readonly object[]): string =>
  JSON.stringify({ type: 'record', name: 'R', fields })

function expectFault(decoded: unknown, code: string, detail: RegExp): void {
  expect(decoded).toBeInstanceOf(DecodeFault)
  expect(decoded).toMatchObject({ code, detail: expect.stringMatching(detail) })
}

describe('avro codec - wire prefix', () => {
  test('avro codec - writes magic 0, the id in 4 bytes and the body that avsc writes', () => {
    const body = avsc.Type.forSchema(JSON.parse(transactionSchema)).toBuffer(transaction)
    const bytes = createEncoder(transactionSchema, 0x01020304)(transaction)
    expect(bytes.toString('hex')).toBe(`0001020304${body.toString('hex')}`)
  })

  test('avro codec - gives each kind of bad prefix its own code', async () => {
    const { decode } = await decoderOf(transactionSchema)
    expectFault(decode(null), 'WEIR_DECODE_EMPTY', /no value/)
    expectFault(decode(Buffer.alloc(0)), 'WEIR_DECODE_EMPTY', /no value/)
    expectFault(decode(Buffer.from([1, ...Array(30).fill(3)])), 'WEIR_DECODE_GUID_PREFIX', /byte 1/)
    expectFault(decode(Buffer.from('{"a":1}')), 'WEIR_DECODE_NOT_AVRO', /first byte 123/)
    expectFault(decode(Buffer.from([0, 0, 7])), 'WEIR_DECODE_NOT_AVRO', /only 3 bytes/)
  })

  test('avro codec - never asks the registry for an id that cannot be one', async () => {
    const { decode } = await decoderOf(transactionSchema)
    for (const prefix of ['00ffffffff', '0000000000', '0080000000']) {
      const fault = decode(Buffer.from(`${prefix}0102`, 'hex'))
      expectFault(fault, 'WEIR_DECODE_UNKNOWN_SCHEMA', /unknown id/)
      expect((fault as DecodeFault).missingId).toBeNull()
    }
  })
})

describe('avro codec - values', () => {
  test('avro codec - decodes times as plain numbers and absent optional fields as null', async () => {
    const { decode } = await decoderOf(transactionSchema)
    const { country, channel, deviceId, ipAddress, ...given } = transaction
    const encode = createEncoder<typeof given>(transactionSchema, 7)
    expect({ ...(decode(encode(given)) as object) }).toEqual(transaction)
  })

  test('avro codec - reads what an older and a newer producer writes', async () => {
    const schema = JSON.parse(transactionSchema)
    const older = { ...schema, fields: schema.fields.slice(0, 6) }
    const extra = { name: 'extra', type: { type: 'array', items: 'long' }, default: [] }
    const newer = { ...schema, namespace: 'bank', fields: [extra, ...schema.fields] }
    for (const writer of [older, newer].map((s) => JSON.stringify(s))) {
      const { decode } = await decoderOf(transactionSchema, writer)
      const written = createEncoder<object>(writer, 7)({ ...transaction, extra: [1, 2, 3] })
      expect(decode(written)).toMatchObject({ customerId: 'c-1', amountMinor: 4550 })
    }
  })

  test('avro codec - writes rows of typed arrays as it writes arrays', () => {
    const schema = recordOf(
      { name: 'features', type: { type: 'array', items: 'float' } },
      { name: 'ordinals', type: { type: 'array', items: 'long' } },
    )
    const encode = createEncoder<object>(schema, 7)
    const vectors = Float32Array.of(9, 0.1, -2.5, 7e8, 9)
    const ordinals = Float64Array.of(9, -1, 2 ** 52, 9)
    const row = { features: vectors.subarray(1, 4), ordinals: ordinals.subarray(1, 3) }
    const plain = { features: [0.1, -2.5, 7e8], ordinals: [-1, 2 ** 52] }
    expect(encode(row).equals(encode(plain))).toBe(true)
    const empty = { features: vectors.subarray(0, 0), ordinals: [] }
    expect(encode(empty).toString('hex')).toBe('00000000070000')
  })

  test('avro codec - says which field does not fit, without its value', () => {
    const wrong = { ...transaction, amountMinor: 45.5, customerId: null as unknown as string }
    expect(() => encodeTransaction(wrong)).toThrow(
      /WEIR_INTERNAL_INVARIANT.*weir\.Transaction: customerId is not string, amountMinor is not long\.$/,
    )
    expect(() => encodeTransaction(wrong)).not.toThrow(/45\.5/)
    expect(encodeTransaction(transaction).length).toBeGreaterThan(5)
  })

  test('avro codec - agrees with avsc on any value of every schema', async () => {
    for (const file of schemaFiles) {
      const stock = avsc.Type.forSchema(JSON.parse(readSchema(file)))
      const encode = createEncoder<unknown>(readSchema(file), 7)
      const { decode } = await decoderOf(readSchema(file))
      for (let round = 0; round < 50; round++) {
        const value = stock.random()
        const body = stock.toBuffer(value)
        const bytes = encode(value)
        expect(bytes.subarray(5).equals(body), file).toBe(true)
        expect(JSON.stringify(decode(bytes)), file).toBe(JSON.stringify(stock.fromBuffer(body)))
      }
    }
  })
})

describe('avro codec - slabs', () => {
  test('avro codec - never writes again to bytes that it gave away', () => {
    const encode = createEncoder<typeof transaction>(transactionSchema, 7)
    const given = Array.from({ length: 20_000 }, (_, index) => {
      const bytes = encode({ ...transaction, transactionId: `t-${index}` })
      return { bytes, copy: Buffer.from(bytes) }
    })
    expect(given.every(({ bytes, copy }) => bytes.equals(copy))).toBe(true)
    expect(new Set(given.map(({ bytes }) => bytes.buffer)).size).toBeGreaterThan(1)
  })

  test('avro codec - writes values larger than a slab, between small ones', async () => {
    const schema = recordOf({ name: 'text', type: 'string' })
    const encode = createEncoder<{ text: string }>(schema, 7)
    const { decode } = await decoderOf(schema)
    for (const size of [10, 1_000_000, 10, 262_133, 262_134, 262_135, 262_144, 2_000_000, 0]) {
      const text = 'ä'.repeat(size)
      expect({ ...(decode(encode({ text })) as object) }).toEqual({ text })
    }
  })
})

describe('avro codec - learning ids', () => {
  test('avro codec - names an unknown id at once and reads it once learnt', async () => {
    const { decode, learn } = createDecoder(transactionSchema, async () => transactionSchema)
    const bytes = encodeTransaction(transaction)
    const fault = decode(bytes)
    expectFault(fault, 'WEIR_DECODE_UNKNOWN_SCHEMA', /^unknown id 7$/)
    await learn((fault as DecodeFault).missingId!)
    expect(decode(bytes)).toMatchObject({ transactionId: 't-1' })
  })

  test('avro codec - asks once for an id that many events wait for', async () => {
    const asked: number[] = []
    const { learn } = createDecoder(transactionSchema, async (id) => {
      asked.push(id)
      return transactionSchema
    })
    await Promise.all([learn(7), learn(7), learn(8)])
    expect(asked).toEqual([7, 8])
  })

  test('avro codec - believes a denied id once it has stood, for a while, then asks again', async () => {
    let nowMs = 0
    let answer: string | null = null
    const decoder = createDecoder(transactionSchema, async () => answer, { nowMs: () => nowMs })
    const bytes = encodeTransaction(transaction)
    for (nowMs = 0; nowMs < limits.schemaAbsentMs; nowMs += 1000) {
      await expect(decoder.learn(7)).rejects.toMatchObject({ code: 'WEIR_REGISTRY_BEHIND' })
      expect(decoder.decode(bytes)).toMatchObject({ missingId: 7 })
    }
    await decoder.learn(7)
    const denied = decoder.decode(bytes)
    expectFault(denied, 'WEIR_DECODE_UNKNOWN_SCHEMA', /registry has no schema with id 7/)
    expect((denied as DecodeFault).missingId).toBeNull()
    nowMs += 120_000
    expect(decoder.decode(bytes)).toMatchObject({ missingId: 7 })
    // It has stood: asked anew and denied again, it costs no time.
    await decoder.learn(7)
    expect(decoder.decode(bytes)).toMatchObject({ missingId: null })
    nowMs += 120_000
    answer = transactionSchema
    await decoder.learn(7)
    expect(decoder.decode(bytes)).toMatchObject({ transactionId: 't-1' })
  })

  test('avro codec - a registry that lags behind rejects nothing', async () => {
    let nowMs = 0
    const answer = () => (nowMs < limits.schemaAbsentMs - 1 ? null : transactionSchema)
    const decoder = createDecoder(transactionSchema, async () => answer(), { nowMs: () => nowMs })
    const bytes = encodeTransaction(transaction)
    await expect(decoder.learn(7)).rejects.toMatchObject({ code: 'WEIR_REGISTRY_BEHIND' })
    nowMs = limits.schemaAbsentMs - 1
    await decoder.learn(7)
    expect(decoder.decode(bytes)).toMatchObject({ transactionId: 't-1' })
  })

  test('avro codec - many forged ids cost time once, then no more', async () => {
    let nowMs = 0
    const decoder = createDecoder(transactionSchema, async () => null, { nowMs: () => nowMs })
    const forged = (from: number) =>
      Array.from({ length: limits.schemaAbsentIdsPatientMax }, (_, i) => from + i)
    const learnAll = (ids: readonly number[]) =>
      Promise.allSettled(ids.map((id) => decoder.learn(id)))
    const first = await learnAll(forged(1))
    expect(first.every(({ status }) => status === 'rejected')).toBe(true)
    nowMs += limits.schemaAbsentMs
    for (const ids of [forged(1), forged(1000)]) {
      expect((await learnAll(ids)).every(({ status }) => status === 'fulfilled')).toBe(true)
    }
  })

  test('avro codec - remembers nothing of an outage, and known ids do not notice it', async () => {
    let isAway = false
    const { decode, learn } = createDecoder(transactionSchema, async () => {
      if (isAway) throw new Error('away')
      return transactionSchema
    })
    await learn(7)
    isAway = true
    const other = createEncoder<typeof transaction>(transactionSchema, 8)(transaction)
    await expect(learn(8)).rejects.toThrow('away')
    expect(decode(encodeTransaction(transaction))).toMatchObject({ transactionId: 't-1' })
    expect(decode(other)).toMatchObject({ missingId: 8 })
    isAway = false
    await learn(8)
    expect(decode(other)).toMatchObject({ transactionId: 't-1' })
  })

  test.each([
    ['another record', readSchema('label')],
    ['no Avro', '{"type":"object"}'],
    ['no JSON', 'syntax = "proto3";'],
  ])('avro codec - refuses an id whose schema is %s', async (_what, writer) => {
    const { decode } = await decoderOf(transactionSchema, writer)
    const fault = decode(encodeTransaction(transaction))
    expectFault(fault, 'WEIR_DECODE_BAD_BODY', /id 7 cannot be read as weir\.Transaction/)
    expect((fault as DecodeFault).missingId).toBeNull()
  })

  test('avro codec - keeps a bounded number of ids, which denied ones do not push out', async () => {
    let nowMs = 0
    const { decode, learn } = createDecoder(
      transactionSchema,
      async (id) => (id < 5000 ? transactionSchema : null),
      { nowMs: () => nowMs },
    )
    const missing = (id: number) => {
      const bytes = encodeTransaction(transaction)
      const copy = Buffer.from(bytes)
      copy.writeInt32BE(id, 1)
      return (decode(copy) as DecodeFault).missingId
    }
    for (let id = 1; id <= 1001; id++) await learn(id)
    expect([missing(1), missing(2), missing(1001)]).toEqual([1, undefined, undefined])
    const denied = Array.from({ length: 3000 }, (_, i) => 5000 + i)
    for (const id of denied) await learn(id).catch(() => undefined)
    nowMs += limits.schemaAbsentMs
    for (const id of denied) await learn(id)
    expect([missing(2), missing(5000), missing(7999)]).toEqual([undefined, null, null])
  })
})

describe('avro codec - hostile bytes', () => {
  const numberFive = [10]
  const endless = [...Array(9).fill(0xff), 0x01]
  const notANumber = [...Array(300).fill(0x80), 0]

  test('avro codec - refuses a body that is too short or too long', async () => {
    const { decode } = await decoderOf(transactionSchema)
    const bytes = encodeTransaction(transaction)
    const longer = Buffer.concat([bytes, Buffer.of(0, 0)])
    expectFault(decode(longer), 'WEIR_DECODE_BAD_BODY', /2 bytes left over/)
    for (let size = 5; size < bytes.length; size++) {
      expectFault(decode(bytes.subarray(0, size)), 'WEIR_DECODE_BAD_BODY', /found/)
    }
  })

  test('avro codec - refuses longs above 2^53 and ints above 2^31', async () => {
    const long = await decoderOf(recordOf({ name: 'n', type: 'long' }))
    const int = await decoderOf(recordOf({ name: 'n', type: 'int' }))
    const promoted = await decoderOf(
      recordOf({ name: 'n', type: 'long' }),
      recordOf({ name: 'n', type: 'int' }),
    )
    const tooLong = avsc.types.LongType.__with({
      toBuffer: (n: bigint) => {
        const bytes = Buffer.alloc(8)
        bytes.writeBigInt64LE(n)
        return bytes
      },
      fromBuffer: (bytes: Buffer) => bytes.readBigInt64LE(),
      fromJSON: BigInt,
      toJSON: Number,
      isValid: (n: unknown) => typeof n === 'bigint',
      compare: () => 0,
    })
    const body = (n: bigint) => framed([...tooLong.toBuffer(n)])
    expect(long.decode(body(2n ** 52n))).toMatchObject({ n: 2 ** 52 })
    for (const n of [2n ** 53n, 2n ** 62n, -(2n ** 53n)]) {
      expectFault(long.decode(body(n)), 'WEIR_DECODE_BAD_BODY', /precision/)
    }
    expect(int.decode(body(-(2n ** 31n)))).toMatchObject({ n: -(2 ** 31) })
    for (const { decode } of [int, promoted]) {
      expectFault(decode(body(2n ** 31n)), 'WEIR_DECODE_BAD_BODY', /int out of range/)
      expectFault(decode(framed(notANumber)), 'WEIR_DECODE_BAD_BODY', /int out of range/)
    }
  })

  const containers = [
    ['array', { type: 'array', items: 'null' }],
    ['map', { type: 'map', values: 'null' }],
  ] as const
  test.each(containers)('avro codec - is not held up by forged counts in: %s', async (_n, type) => {
    const reader = recordOf({ name: 'n', type: 'long' })
    const writer = recordOf({ name: 'items', type }, { name: 'n', type: 'long' })
    const backwards = [1, 21, 0, 0]
    for (const readerSchema of [writer, reader]) {
      const { decode } = await decoderOf(readerSchema, writer)
      expect(decode(framed([0, ...numberFive]))).toMatchObject({ n: 5 })
      for (const forged of [endless, notANumber, [3, ...endless], backwards]) {
        const fault = decode(framed([...forged, ...numberFive]))
        expectFault(fault, 'WEIR_DECODE_BAD_BODY', /found/)
      }
    }
  })

  test('avro codec - reads the blocks of arrays and maps that other writers make', async () => {
    const reader = recordOf({ name: 'n', type: 'long' })
    const items = { name: 'items', type: { type: 'array', items: 'int' } }
    const map = { name: 'map', type: { type: 'map', values: 'int' } }
    const writer = recordOf(items, map, { name: 'n', type: 'long' })
    const arrayBlocks = [4, 2, 4, 1, 2, 6, 0]
    const mapBlocks = [2, 2, 0x61, 2, 1, 6, 2, 0x62, 4, 0]
    const bytes = framed([...arrayBlocks, ...mapBlocks, ...numberFive])
    const full = (await decoderOf(writer)).decode(bytes)
    expect(full).toMatchObject({ items: [1, 2, 3], map: { a: 1, b: 2 }, n: 5 })
    expect((await decoderOf(reader, writer)).decode(bytes)).toMatchObject({ n: 5 })
  })

  test('avro codec - a forged length of bytes does no harm to the next event', async () => {
    const schema = recordOf({ name: 'original', type: 'bytes' })
    const { decode } = await decoderOf(schema)
    const encode = createEncoder<{ original: Buffer }>(schema, 7)
    for (const forged of [notANumber, endless, [1], [200, 1]]) {
      expectFault(decode(framed(forged)), 'WEIR_DECODE_BAD_BODY', /found/)
      const original = Buffer.from('a whole value')
      expect(decode(encode({ original }))).toMatchObject({ original })
    }
  })

  test('avro codec - turns any bytes into a value or a fault', async () => {
    const schema = readSchema('scored-transaction')
    const stock = avsc.Type.forSchema(JSON.parse(schema))
    const { decode } = await decoderOf(schema)
    const body = [...stock.toBuffer(stock.random())]
    const change = fc.tuple(fc.nat(body.length - 1), fc.nat(255))
    const isOutcome = (bytes: Buffer) => {
      const decoded = decode(bytes)
      return decoded instanceof DecodeFault || stock.isValid(decoded)
    }
    const seed = Date.now()
    console.info(`avro codec - seed ${seed}`)
    fc.assert(
      fc.property(fc.array(change, { maxLength: 8 }), fc.uint8Array(), (changes, bytes) => {
        const mutated = [...body]
        for (const [index, value] of changes) mutated[index] = value
        expect(isOutcome(framed(mutated))).toBe(true)
        expect(isOutcome(framed([...bytes]))).toBe(true)
        expect(isOutcome(Buffer.from(bytes))).toBe(true)
      }),
      { seed, numRuns: 2000 },
    )
  })
})
