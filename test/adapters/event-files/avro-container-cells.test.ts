// Avro containers: codecs, logical types, long numbers, unions, and files that are damaged.

import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { crc32, deflateRawSync, zstdCompressSync } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import { readAvroCells } from '../../../services/adapters/event-files/avro-container-cells.ts'
import { ExactDecimal, Instant, LocalTime } from '../../../services/core/raw-values.ts'
import { temporaryFolder } from '../../support/temporary-folder.ts'
import { dialectFolder, noDialects, readRows } from './read-rows.ts'

function long(value: bigint | number): Buffer {
  let zigzag = BigInt.asUintN(64, (BigInt(value) << 1n) ^ (BigInt(value) >> 63n))
  const bytes: number[] = []
  for (; zigzag > 0x7fn; zigzag >>= 7n) bytes.push(Number(zigzag & 0x7fn) | 0x80)
  return Buffer.from([...bytes, Number(zigzag)])
}

const bytesOf = (bytes: Buffer | string) => {
  const buffer = Buffer.from(bytes as string)
  return Buffer.concat([long(buffer.length), buffer])
}

const marker = Buffer.alloc(16, 7)

type Block = { readonly count: number; readonly stored: Buffer }

function container(schema: unknown, codec: string | null, blocks: readonly Block[]): Buffer {
  const text = typeof schema === 'string' ? schema : JSON.stringify(schema)
  const entries = [bytesOf('avro.schema'), bytesOf(text)]
  if (codec !== null) entries.push(bytesOf('avro.codec'), bytesOf(codec))
  const head = [Buffer.from('Obj\u0001'), long(entries.length / 2), ...entries, long(0), marker]
  const body = blocks.flatMap(({ count, stored }) => [long(count), bytesOf(stored), marker])
  return Buffer.concat([...head, ...body])
}

function readFile(content: Buffer, columns: readonly string[]) {
  const path = join(temporaryFolder(), 't.avro')
  writeFileSync(path, content)
  return readRows(readAvroCells, path, columns)
}

const recordOf = (...fields: (readonly [string, unknown])[]) => ({
  type: 'record',
  name: 'Event',
  fields: fields.map(([name, type]) => ({ name, type })),
})

/** Field x of records that are written as the given bytes. */
async function readField(type: unknown, values: readonly Buffer[]) {
  const block = { count: values.length, stored: Buffer.concat(values) }
  const { rows } = await readFile(container(recordOf(['x', type]), null, [block]), ['x'])
  return { cells: rows.map(({ x }) => x) }
}

/** A literal run of Snappy's, as long as it takes no length of its own. */
const snappy = (bytes: Buffer): Buffer => {
  const checksum = Buffer.alloc(4)
  checksum.writeUInt32BE(crc32(bytes))
  const head = Buffer.from([bytes.length, (bytes.length - 1) << 2])
  return Buffer.concat([head, bytes, checksum])
}

const pair = recordOf(['id', 'string'], ['n', 'long'])
const pairs = [0, 1, 2].map((n) => Buffer.concat([bytesOf(`t${n}`), long(n)]))
const expectedPairs = [0, 1, 2].map((n) => ({ id: `t${n}`, n }))

describe('avro container cells', () => {
  test.each<[string | null, (bytes: Buffer) => Buffer]>([
    [null, (bytes) => bytes],
    ['null', (bytes) => bytes],
    ['deflate', (bytes) => deflateRawSync(bytes)],
    ['snappy', snappy],
    ['zstandard', (bytes) => zstdCompressSync(bytes)],
  ])('avro container cells - reads blocks of the codec %s', async (codec, pack) => {
    const blocks = [
      { count: 2, stored: pack(Buffer.concat(pairs.slice(0, 2))) },
      { count: 1, stored: pack(pairs[2]!) },
    ]
    const file = container(pair, codec, blocks)
    const found = await readFile(file, ['id', 'n', 'none'])
    expect(found.rows).toEqual(expectedPairs)
    expect(found.blocks.length).toBe(2)
  })

  test.each(['bzip2', 'xz', 'toString'])(
    'avro container cells - refuses %s by name',
    async (codec) => {
      await expect(readFile(container(pair, codec, []), ['id'])).rejects.toThrow(
        new RegExp(`WEIR_FILE_INVALID.*codec ${codec}.*null, deflate, snappy, zstandard`),
      )
    },
  )

  test('avro container cells - longs are bigint where no double holds them', async () => {
    const values = [0n, -1n, 2n ** 51n, 2n ** 53n - 1n, 1n - 2n ** 53n, -(2n ** 52n) - 1n]
    const large = [2n ** 53n, 9007199254740993n, 2n ** 63n - 1n, -(2n ** 63n)]
    const { cells } = await readField('long', [...values, ...large].map(long))
    expect(cells).toEqual([...values.map(Number), ...large])
  })

  test('avro container cells - decimals keep their digits', async () => {
    const large = 12345678901234567890123456789012345678n
    const big = Buffer.from(large.toString(16).padStart(32, '0'), 'hex')
    const bytes = { type: 'bytes', logicalType: 'decimal', precision: 38, scale: 2 }
    const plain = await readField(bytes, [bytesOf(big), bytesOf(Buffer.from([0xff])), long(0)])
    const decimals = [large, -1n, 0n].map((unscaled) => new ExactDecimal(unscaled, 2))
    expect(plain.cells).toEqual(decimals)
    const fixed = { ...bytes, type: 'fixed', name: 'F', size: 16 }
    expect((await readField(fixed, [big])).cells).toEqual(decimals.slice(0, 1))
  })

  test('avro container cells - times are instants or texts, as the schema says', async () => {
    const time = (logicalType: string) => ({ type: 'long', logicalType })
    const micros = 1_704_110_400_123_456n
    const ms = 1_704_110_400_123
    const at = new Instant(ms)
    const optional = ['null', time('timestamp-micros')]
    const some = [Buffer.concat([long(1), long(micros)]), long(0)]
    for (const [type, values, cells] of [
      [time('timestamp-millis'), [long(ms)], [at]],
      [time('timestamp-micros'), [long(micros), long(-1)], [at, new Instant(-1)]],
      [time('timestamp-nanos'), [long(micros * 1000n)], [at]],
      [optional, some, [at, null]],
    ] as const) {
      expect(await readField(type, values)).toEqual({ cells })
    }
    const local = new LocalTime('2024-01-01T12:00:00.123')
    const iceberg = { ...time('timestamp-micros'), 'adjust-to-utc': false }
    for (const [type, value, cell] of [
      [time('local-timestamp-micros'), micros, local],
      [iceberg, micros, local],
      [{ type: 'int', logicalType: 'date' }, 19723, new LocalTime('2024-01-01')],
      ['long', ms, ms],
    ] as const) {
      expect(await readField(type, [long(value)])).toEqual({ cells: [cell] })
    }
    const list = await readField({ type: 'array', items: time('timestamp-millis') }, [
      Buffer.concat([long(1), long(ms), long(0)]),
    ])
    expect(list).toEqual({ cells: [[at]] })
  })

  test('avro container cells - the value of a union is bare, whatever its branches are', async () => {
    const inner = { type: 'record', name: 'Inner', fields: [{ name: 'n', type: 'int' }] }
    const type = ['null', 'int', 'long', 'string', 'bytes', inner]
    const { cells } = await readField(type, [
      long(0),
      Buffer.concat([long(1), long(5)]),
      Buffer.concat([long(2), long(2n ** 60n)]),
      Buffer.concat([long(3), bytesOf('é')]),
      Buffer.concat([long(4), bytesOf(Buffer.from([255]))]),
      Buffer.concat([long(5), long(9)]),
    ])
    expect(cells.slice(0, 5)).toEqual([null, 5, 2n ** 60n, 'é', Buffer.from([255])])
    expect(JSON.stringify(cells[5])).toBe('{"n":9}')
  })

  test('avro container cells - uuids are text, fixed and bytes are bytes', async () => {
    const hex = '00112233445566778899aabbccddeeff'
    const fixed = { type: 'fixed', name: 'F', size: 16 }
    const bytes = Buffer.from(hex, 'hex')
    expect((await readField(fixed, [bytes])).cells).toEqual([bytes])
    const uuid = '00112233-4455-6677-8899-aabbccddeeff'
    expect((await readField({ ...fixed, logicalType: 'uuid' }, [bytes])).cells).toEqual([uuid])
    const text = { type: 'string', logicalType: 'uuid' }
    expect((await readField(text, [bytesOf(uuid)])).cells).toEqual([uuid])
  })

  test('avro container cells - reads schemas that Java let pass', async () => {
    const schema = {
      type: 'record',
      name: 'Outer$Event',
      namespace: 'com.my-bank',
      fields: [
        { name: 'a', type: { type: 'enum', name: 'Kind', symbols: ['X', 'Y'] }, default: 'NONE' },
        { name: 'b', type: { type: 'com.my-bank.Kind' } },
        { name: 'c', type: { type: { type: 'string', 'avro.java.string': 'String' } }, default: 1 },
      ],
    }
    const stored = Buffer.concat([long(1), long(0), bytesOf('c')])
    const file = container(schema, null, [{ count: 1, stored }])
    expect((await readFile(file, ['a', 'b', 'c'])).rows).toEqual([{ a: 'Y', b: 'X', c: 'c' }])
  })

  test('avro container cells - refuses files that are cut off or damaged', async () => {
    const blocks = [{ count: 3, stored: Buffer.concat(pairs) }]
    const good = container(pair, null, blocks)
    for (const length of [0, 3, 20, good.length - 29, good.length - 1]) {
      await expect(readFile(good.subarray(0, length), ['id'])).rejects.toThrow(/WEIR_FILE_INVALID/)
    }
    for (const [count, fault] of [
      [4, /ends too early/],
      [2, /bytes behind its last record/],
      [2 ** 40, /more records than bytes/],
      [-1, /found the size -1/],
    ] as const) {
      const file = container(pair, null, [{ ...blocks[0]!, count }])
      await expect(readFile(file, ['id'])).rejects.toThrow(fault)
    }
    const otherMarker = Buffer.from(good)
    otherMarker[good.length - 1]! ^= 1
    await expect(readFile(otherMarker, ['id'])).rejects.toThrow(/block 0 .* is damaged/)
    const packed = snappy(pairs[0]!)
    packed[packed.length - 1]! ^= 1
    const broken = container(pair, 'snappy', [{ count: 1, stored: packed }])
    await expect(readFile(broken, ['id'])).rejects.toThrow(/another checksum/)
  })

  test('avro container cells - refuses schemas that are no record', async () => {
    for (const schema of ['"string"', 'no json', { type: 'array', items: 'int' }, 'null']) {
      const file = container(schema, null, [])
      await expect(readFile(file, ['x'])).rejects.toThrow(
        /WEIR_FILE_INVALID.*(schema|text is no JSON)/,
      )
    }
  })
})

describe.skipIf(dialectFolder === null)('avro container cells of other makers', () => {
  test('avro container cells - transaction.avro has the rows and amounts of its facts', async () => {
    const folder = join(dialectFolder ?? noDialects, '09-avro-proto')
    const facts = JSON.parse(readFileSync(join(folder, 'facts.json'), 'utf8'))['transaction.avro']
    const columns = ['id', 'amount', 'timestamp', 'status', 'recipientId', 'metadata']
    const path = join(folder, 'transaction.avro')
    const { rows } = await readRows(readAvroCells, path, columns)
    const counts: Record<string, number> = {}
    for (const { status } of rows) counts[String(status)] = (counts[String(status)] ?? 0) + 1
    const customers = rows.map(({ metadata }) => (metadata as { customerId: string }).customerId)
    const minors = rows.map(({ amount }) => (amount as ExactDecimal).unscaled)
    const times = rows.map(({ timestamp }) => (timestamp as Instant).ms)
    expect({
      rows: rows.length,
      status: counts,
      recipient_null: rows.filter(({ recipientId }) => recipientId === null).length,
      customers: new Set(customers).size,
      sum_amount_minor: Number(minors.reduce((sum, minor) => sum + minor, 0n)),
      first_ms: Math.min(...times),
      last_ms: Math.max(...times),
    }).toEqual({
      rows: facts.rows,
      status: facts.status,
      recipient_null: facts.recipient_null,
      customers: facts.customers,
      sum_amount_minor: facts.sum_amount_minor,
      first_ms: facts.first_ms,
      last_ms: facts.last_ms,
    })
  })
})
