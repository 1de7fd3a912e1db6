// Parquet cells: what a double cannot hold keeps its digits, and times say what they are.

import { join } from 'node:path'
import type { SchemaElement } from 'hyparquet'
import { parquetWriteFile } from 'hyparquet-writer'
import { describe, expect, test } from 'vitest'
import { readParquetCells } from '../../../services/adapters/event-files/parquet-events.ts'
import { ExactDecimal, Instant, LocalTime } from '../../../services/core/raw-values.ts'
import { temporaryFolder } from '../../support/temporary-folder.ts'
import { readRows, sharedFolder } from './read-rows.ts'

type Leaf = Omit<SchemaElement, 'name'>

/** One column of one leaf. */
async function readColumn(element: Leaf, data: readonly unknown[]) {
  const leaf: SchemaElement = { name: 'x', repetition_type: 'OPTIONAL', ...element }
  return readNested([leaf], data)
}

async function readNested(elements: readonly SchemaElement[], data: readonly unknown[]) {
  const filename = join(temporaryFolder(), 't.parquet')
  const schema = [{ name: 'root', num_children: 1 }, ...elements]
  parquetWriteFile({ filename, schema, columnData: [{ name: 'x', data: [...data] }] })
  const { rows, blocks } = await readRows(readParquetCells, filename, ['x', 'none'])
  expect(blocks[0]!.cells('none')).toBe(null)
  return { cells: rows.map(({ x }) => x), isInstant: blocks[0]!.instants!.has('x') }
}

const time = (unit: 'MILLIS' | 'MICROS' | 'NANOS', isAdjustedToUTC: boolean): Leaf => ({
  type: 'INT64',
  logical_type: { type: 'TIMESTAMP', unit, isAdjustedToUTC },
})

describe('parquet events', () => {
  const large = 12345678901234567890123456789012345678n
  test.each<[Leaf, bigint[]]>([
    [{ type: 'FIXED_LEN_BYTE_ARRAY', type_length: 16, precision: 38, scale: 2 }, [large, -large]],
    [{ type: 'FIXED_LEN_BYTE_ARRAY', type_length: 5, precision: 10, scale: 2 }, [1234n, -1n]],
    [{ type: 'INT64', precision: 18, scale: 2 }, [999999999999999999n, -5n]],
    [{ type: 'INT32', precision: 9, scale: 2 }, [110n, -435n]],
    [{ type: 'BYTE_ARRAY', precision: 38, scale: 2 }, [large, -1n]],
  ])('parquet events - decimals of %j keep their digits', async (element, values) => {
    const decimal: Leaf = { ...element, converted_type: 'DECIMAL' }
    const { cells } = await readColumn(decimal, [values[0], null, values[1]])
    const [first, second] = values.map((unscaled) => new ExactDecimal(unscaled, 2))
    expect(cells).toEqual([first, undefined, second])
  })

  test('parquet events - whole numbers are bigint where no double holds them', async () => {
    const values = [1n, null, 2n ** 53n, -(2n ** 63n)]
    const { cells } = await readColumn({ type: 'INT64' }, values)
    expect(cells).toEqual([1, undefined, 2n ** 53n, -(2n ** 63n)])
  })

  test('parquet events - moments are ms, named as instants, rounded towards the past', async () => {
    const micros = await readColumn(time('MICROS', true), [1_704_110_400_123_456n, null, -1n])
    expect(micros).toEqual({ cells: [1_704_110_400_123, undefined, -1], isInstant: true })
    const nanos = await readColumn(time('NANOS', true), [1_704_110_400_123_456_789n])
    expect(nanos).toEqual({ cells: [1_704_110_400_123], isInstant: true })
    const old = await readColumn({ type: 'INT64', converted_type: 'TIMESTAMP_MILLIS' }, [5n])
    expect(old).toEqual({ cells: [5], isInstant: true })
    const plain = await readColumn({ type: 'INT64' }, [1_704_110_400_123n])
    expect(plain.isInstant).toBe(false)
  })

  test('parquet events - times without a zone and dates are texts', async () => {
    const textsOf = async (element: Leaf, values: readonly unknown[]) =>
      (await readColumn(element, values)).cells.map((cell) => (cell as LocalTime).text)
    const micros = 1_704_110_400_123_456n
    expect(await textsOf(time('MICROS', false), [micros, micros - 456n, -1n])).toEqual([
      '2024-01-01T12:00:00.123456',
      '2024-01-01T12:00:00.123',
      '1969-12-31T23:59:59.999999',
    ])
    const nanos = await textsOf(time('NANOS', false), [micros * 1000n + 1n])
    expect(nanos).toEqual(['2024-01-01T12:00:00.123456001'])
    expect(await textsOf(time('MILLIS', false), [2n ** 62n])).toEqual([
      '4611686018427387904 millis since 1970',
    ])
    const dates = await textsOf({ type: 'INT32', converted_type: 'DATE' }, [19723, -1])
    expect(dates).toEqual(['2024-01-01', '1969-12-31'])
  })

  test('parquet events - unmarked bytes are text where they are UTF-8, JSON stays text', async () => {
    const bytes = new Uint8Array([0xff, 0xfe])
    const { cells } = await readColumn({ type: 'BYTE_ARRAY' }, [Buffer.from('é'), bytes])
    expect(cells).toEqual(['é', bytes])
    const json = await readColumn({ type: 'BYTE_ARRAY', converted_type: 'JSON' }, [{ a: 1 }])
    expect(json.cells).toEqual(['{"a":1}'])
  })

  test('parquet events - values inside structs and lists are raw values too', async () => {
    const struct: SchemaElement[] = [
      { name: 'x', repetition_type: 'OPTIONAL', num_children: 4 },
      { name: 'id', repetition_type: 'OPTIONAL', type: 'INT64' },
      {
        name: 'amount',
        repetition_type: 'OPTIONAL',
        type: 'INT64',
        converted_type: 'DECIMAL',
        precision: 18,
        scale: 2,
      },
      { name: 'at', repetition_type: 'OPTIONAL', ...time('MICROS', true) },
      { name: 'days', repetition_type: 'OPTIONAL', converted_type: 'LIST', num_children: 1 },
      { name: 'list', repetition_type: 'REPEATED', num_children: 1 },
      { name: 'element', repetition_type: 'OPTIONAL', type: 'INT32', converted_type: 'DATE' },
    ]
    const row = { id: 2n ** 60n, amount: 1234n, at: 5000n, days: [0, null] }
    const { cells, isInstant } = await readNested(struct, [row, null, { ...row, id: 7n }])
    const expected = {
      id: 2n ** 60n,
      amount: new ExactDecimal(1234n, 2),
      at: new Instant(5),
      days: [new LocalTime('1970-01-01'), null],
    }
    expect(cells[0]).toEqual(expected)
    expect(cells[1] ?? null).toBe(null)
    expect(cells[2]).toEqual({ ...expected, id: 7 })
    expect(isInstant).toBe(false)
  })

  test('parquet events - names inside a struct are no columns', async () => {
    const filename = join(temporaryFolder(), 't.parquet')
    const schema: SchemaElement[] = [
      { name: 'root', num_children: 1 },
      { name: 'meta', repetition_type: 'OPTIONAL', num_children: 1 },
      { name: 'channel', repetition_type: 'OPTIONAL', type: 'INT32' },
    ]
    parquetWriteFile({ filename, schema, columnData: [{ name: 'meta', data: [{ channel: 1 }] }] })
    const { rows } = await readRows(readParquetCells, filename, ['channel', 'meta'])
    expect(rows).toEqual([{ meta: { channel: 1 } }])
  })
})

const bugFolder = sharedFolder('bugs')

describe.skipIf(bugFolder === null)('parquet events that others met', () => {
  test.each([
    ['15-decimal-ids/ids', 'customerId', new ExactDecimal(12345678901234567890n, 0)],
    ['17-decimal-amount/t', 'amountMinor', new ExactDecimal(1234n, 2)],
    ['20-localtime/naive', 'eventTime', new LocalTime('2024-01-01T12:00:00.000')],
    ['37-matrix/int96-snappy', 'eventTime', 1_704_110_400_123],
    ['37-matrix/tz-ny-gzip', 'eventTime', 1_704_110_400_123],
    ['37-matrix/uint64-big', 'customerId', 2n ** 63n + 1n],
  ])('parquet events - %s has its first %s', async (name, column, expected) => {
    const path = join(bugFolder!, `${name}.parquet`)
    const { rows } = await readRows(readParquetCells, path, [column])
    expect(rows[0]![column]).toEqual(expected)
  })
})
