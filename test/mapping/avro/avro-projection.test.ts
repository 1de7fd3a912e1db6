// Values that stock avsc wrote are found by path; hostile bytes end, by throwing.

import avsc from 'avsc'
import { describe, expect, test } from 'vitest'
import { parseSchema } from '../../../services/adapters/registry/avro-types.ts'
import type { PathStep } from '../../../services/core/input-mapping.ts'
import { ExactDecimal, Instant, LocalTime } from '../../../services/core/raw-values.ts'
import { projectAvro } from '../../../services/mapping/avro/avro-projection.ts'
import { randomOf } from '../seeded-bytes.ts'

/** `a.b[0].{}.c`: names, an index in brackets, {} for JSON inside of a text. */
function path(text: string): PathStep[] {
  return text.split('.').flatMap((part): PathStep[] => {
    if (part === '{}') return [{ kind: 'json' }]
    const [name, ...indexes] = part.split('[')
    return [
      { kind: 'name', name: name! },
      ...indexes.map((index): PathStep => ({ kind: 'index', index: Number.parseInt(index, 10) })),
    ]
  })
}

const record = (fields: Record<string, unknown>, name = 'R', more: object = {}) => ({
  type: 'record',
  name,
  ...more,
  fields: Object.entries(fields).map(([key, type]) => ({ name: key, type })),
})

/** What stands at these paths in a value that avsc wrote. */
function readBack(schema: unknown, value: unknown, paths: readonly string[]): unknown[] {
  const body = avsc.Type.forSchema(schema as avsc.Schema, { wrapUnions: true }).toBuffer(value)
  const read = projectAvro(JSON.stringify(schema), [], paths.map(path))
  return read(Buffer.concat([Buffer.from([0, 0, 0, 0, 7]), body]), 5)
}

const micros = 1_704_110_400_123_456
const long = (logicalType: string) => ({ type: 'long', logicalType })
const connect = (type: string, name: string) => ({ type, 'connect.name': name })
const connectData = 'org.apache.kafka.connect.data'
const debezium = 'io.debezium.time'
const local = (text: string) => new LocalTime(text)

const leafs: readonly (readonly [string, unknown, unknown, unknown])[] = [
  ['text', 'string', 'über', 'über'],
  ['text of Java', { type: 'string', 'avro.java.string': 'String' }, 'a', 'a'],
  ['int', 'int', -2147483648, -2147483648],
  ['long', 'long', -1125899906842625, -1125899906842625],
  ['float', 'float', 1.5, 1.5],
  ['double', 'double', -0.1, -0.1],
  ['flag', 'boolean', true, true],
  ['null', 'null', null, null],
  ['enum', { type: 'enum', name: 'E', symbols: ['A', 'B'] }, 'B', 'B'],
  ['bytes', 'bytes', Buffer.from([1, 2]), Buffer.from([1, 2])],
  ['fixed', { type: 'fixed', name: 'F', size: 2 }, Buffer.from([1, 2]), Buffer.from([1, 2])],
  [
    'uuid',
    { type: 'string', logicalType: 'uuid' },
    '5f2b0f0e-5d0a-4b6e-9a3e-3c2f1d0e9b8a',
    '5f2b0f0e-5d0a-4b6e-9a3e-3c2f1d0e9b8a',
  ],
  [
    'uuid of 16 bytes',
    { type: 'fixed', name: 'U', size: 16, logicalType: 'uuid' },
    Buffer.from('5f2b0f0e5d0a4b6e9a3e3c2f1d0e9b8a', 'hex'),
    '5f2b0f0e-5d0a-4b6e-9a3e-3c2f1d0e9b8a',
  ],
  [
    'decimal',
    { type: 'bytes', logicalType: 'decimal', precision: 12, scale: 2 },
    Buffer.from([0xfc, 0x18]),
    new ExactDecimal(-1000n, 2),
  ],
  [
    'decimal of no bytes and no scale',
    { type: 'bytes', logicalType: 'decimal', precision: 12 },
    Buffer.alloc(0),
    new ExactDecimal(0n, 0),
  ],
  [
    'decimal of 16 fixed bytes',
    { type: 'fixed', size: 16, name: 'D', logicalType: 'decimal', precision: 38, scale: 9 },
    Buffer.from('fffffffffffffffffffffffffffffffe', 'hex'),
    new ExactDecimal(-2n, 9),
  ],
  [
    'decimal of Connect, scale among its parameters',
    { ...connect('bytes', `${connectData}.Decimal`), 'connect.parameters': { scale: '3' } },
    Buffer.from([1, 0]),
    new ExactDecimal(256n, 3),
  ],
  ['timestamp-millis', long('timestamp-millis'), -1, new Instant(-1)],
  ['timestamp-micros', long('timestamp-micros'), micros, new Instant(1_704_110_400_123)],
  ['micros before 1970', long('timestamp-micros'), -1, new Instant(-1)],
  ['timestamp-nanos', long('timestamp-nanos'), micros, new Instant(1_704_110_400)],
  ['local millis', long('local-timestamp-millis'), 1000, local('1970-01-01T00:00:01.000')],
  ['local micros', long('local-timestamp-micros'), micros, local('2024-01-01T12:00:00.123')],
  ['local beyond any date', long('local-timestamp-millis'), 9e15, local('out of range')],
  ['date', { type: 'int', logicalType: 'date' }, 19723, local('2024-01-01')],
  ['date "infinity"', { type: 'int', logicalType: 'date' }, 2147483647, local('out of range')],
  ['time-millis', { type: 'int', logicalType: 'time-millis' }, 86399999, 86399999],
  ['time-micros', long('time-micros'), 86399999999, 86399999],
  ['Timestamp of Connect', connect('long', `${connectData}.Timestamp`), 5, new Instant(5)],
  ['Timestamp of Debezium', connect('long', `${debezium}.Timestamp`), 5, new Instant(5)],
  ['MicroTimestamp', connect('long', `${debezium}.MicroTimestamp`), 5000, new Instant(5)],
  ['NanoTimestamp', connect('long', `${debezium}.NanoTimestamp`), 5_000_000, new Instant(5)],
  ['Date of Debezium', connect('int', `${debezium}.Date`), 1, local('1970-01-02')],
  ['ZonedTimestamp', connect('string', `${debezium}.ZonedTimestamp`), '2024', '2024'],
  ['a date on a text, as Java ignores it', { type: 'string', logicalType: 'date' }, 'a', 'a'],
]

describe('projectAvro, values', () => {
  for (const [name, type, value, expected] of leafs) {
    test(`reads ${name}`, () => {
      const schema = record({ before: 'string', a: type, after: ['null', 'long'] })
      const event = { before: 'x', a: value, after: { long: 9 } }
      expect(readBack(schema, event, ['after', 'a'])).toEqual([9, expected])
    })

    test(`reads ${name} out of unions, either way round`, () => {
      if (name === 'null') return
      for (const [first, second] of [
        ['null', type],
        [type, 'null'],
      ]) {
        const schema = record({ a: [first, second], b: 'int' })
        const raw = (given: unknown) => {
          const parsed = avsc.Type.forSchema(type as avsc.Schema)
          return given === null ? null : { [parsed.branchName!]: given }
        }
        expect(readBack(schema, { a: raw(value), b: 1 }, ['a', 'b'])).toEqual([expected, 1])
        expect(readBack(schema, { a: raw(null), b: 1 }, ['a', 'b'])).toEqual([null, 1])
      }
    })

    test(`steps over ${name}`, () => {
      const schema = record({ a: type, list: { type: 'array', items: 'string' }, z: 'string' })
      expect(readBack(schema, { a: value, list: ['p', 'q'], z: 'end' }, ['z'])).toEqual(['end'])
    })
  }

  test('a long beyond 2^53 is a bigint, to the last one', () => {
    const read = projectAvro(JSON.stringify(record({ a: 'long' })), [], [path('a')])
    const varint = (value: bigint): Buffer => {
      const bytes: number[] = []
      let rest = BigInt.asUintN(64, (value << 1n) ^ (value >> 63n))
      for (; rest > 127n; rest >>= 7n) bytes.push(Number(rest & 127n) | 128)
      return Buffer.from([...bytes, Number(rest)])
    }
    const edge = 2n ** 53n
    const values = [0n, 1n, -1n, 2n ** 27n, -(2n ** 31n), 2n ** 55n, -(2n ** 56n), edge - 1n]
    values.push(edge, -edge, 1n - edge, edge + 1n, 2n ** 63n - 1n, -(2n ** 63n))
    for (const value of values) {
      const isSafe = value > -edge && value < edge
      expect(read(varint(value), 0)).toEqual([isSafe ? Number(value) : value])
    }
  })
})

describe('projectAvro, paths', () => {
  const item = record({ id: 'string', tags: { type: 'map', values: 'long' } }, 'Item')
  const schema = record({
    items: { type: 'array', items: item },
    raw: 'string',
    nested: ['null', record({ deep: ['null', record({ x: 'int' }, 'Deep')] }, 'Nested')],
  })
  const event = {
    items: [
      { id: 'i0', tags: { a: 1 } },
      { id: 'i1', tags: { a: 2, b: 3 } },
    ],
    raw: '{"user":{"id":12345678901234567890},"list":[1]}',
    nested: { Nested: { deep: { Deep: { x: 5 } } } },
  }

  test.each([
    ['items[1].id', 'i1'],
    ['items[1].tags.b', 3],
    ['items[0].tags.b', undefined],
    ['items[2].id', undefined],
    ['items.id', undefined],
    ['items.length', undefined],
    ['nested.deep.x', 5],
    ['nested.none.x', undefined],
    ['nested[0]', undefined],
    ['raw.{}.user.id', 12345678901234567890n],
    ['raw.{}.list[0]', 1],
    ['raw.{}.none', undefined],
    ['raw.user', undefined],
    ['items[0].id.{}', undefined],
    ['none', undefined],
    ['constructor', undefined],
    ['items[0].tags.__proto__', undefined],
  ])('%s', (wanted, expected) => {
    expect(readBack(schema, event, [wanted])).toEqual([expected])
    // With others beside it, whole ones too.
    const others = ['items[1].id', 'nested', wanted, 'raw.{}.user.id', 'items', 'items[0].tags']
    expect(readBack(schema, event, others)[2]).toEqual(expected)
  })

  test('whole values are objects without a prototype', () => {
    const [items, tags] = readBack(schema, event, ['items', 'items[0].tags'])
    expect(items).toEqual(event.items)
    expect(Object.getPrototypeOf(tags)).toBeNull()
  })

  test('a null on the way is absent', () => {
    const absent = { ...event, nested: { Nested: { deep: null } } }
    expect(readBack(schema, absent, ['nested.deep.x', 'nested.deep'])).toEqual([undefined, null])
  })

  test('one path wanted twice, and no path at all', () => {
    expect(readBack(schema, event, ['raw', 'raw'])).toEqual([event.raw, event.raw])
    expect(readBack(schema, event, [])).toEqual([])
  })

  test('of a map with a key twice the later entry counts, and nothing of the first is left', () => {
    const value = record({ x: ['null', 'int'], y: 'int' }, 'V')
    const map = { type: 'map', values: ['null', value] }
    const read = projectAvro(JSON.stringify(map), [], [path('k.x'), path('k.y')])
    const key = [2, 0x6b]
    expect(read(Buffer.from([4, ...key, 2, 2, 10, 12, ...key, 2, 0, 14, 0]), 0)).toEqual([null, 7])
    expect(read(Buffer.from([4, ...key, 2, 2, 10, 12, ...key, 0, 0]), 0)).toEqual([
      undefined,
      undefined,
    ])
  })

  test('blocks with their size are read and stepped over', () => {
    const list = record({ a: { type: 'array', items: 'int' }, b: 'int' })
    const read = (wanted: string) => projectAvro(JSON.stringify(list), [], [path(wanted)])
    const body = Buffer.from([3, 4, 2, 4, 1, 2, 6, 0, 16])
    expect(read('a[2]')(body, 0)).toEqual([3])
    expect(read('b')(body, 0)).toEqual([8])
  })
})

describe("projectAvro, writers' schemas", () => {
  test('several events in one topic: the branch met is read', () => {
    const payment = record({ id: 'string', amount: 'long' }, 'Payment', { namespace: 'a.b' })
    const refund = record({ reason: 'string', id: 'string' }, 'Refund', { namespace: 'a.b' })
    const union = [payment, refund]
    const paths = ['id', 'amount']
    const paid = readBack(union, { 'a.b.Payment': { id: 'p', amount: 5 } }, paths)
    const back = readBack(union, { 'a.b.Refund': { reason: 'r', id: 'q' } }, paths)
    expect([paid, back]).toEqual([
      ['p', 5],
      ['q', undefined],
    ])
  })

  test('unions that avsc finds ambiguous', () => {
    const schema = record({ a: ['int', 'long', 'float', 'string', 'null'] })
    expect(readBack(schema, { a: { long: 7 } }, ['a'])).toEqual([7])
    expect(readBack(schema, { a: { string: 's' } }, ['a'])).toEqual(['s'])
  })

  test.each([
    ['namespace with a dash', { namespace: 'card-payments.v1' }],
    ['namespace of a nested class', { namespace: 'com.bank.Outer$' }],
    ['a name that is none', { name: 'com.bank.1-Value$' }],
    ['bad alias and doc', { aliases: [7, 'a-b'], doc: { not: 'text' } }],
  ])('Java lets it pass: %s', (_name, more) => {
    const good = record({ a: 'string', e: { type: 'enum', name: 'E', symbols: ['X'] } })
    const body = avsc.Type.forSchema(good as avsc.Schema).toBuffer({ a: 'x', e: 'X' })
    const text = JSON.stringify({ ...good, ...more })
    expect(projectAvro(text, [], [path('a'), path('e')])(body, 0)).toEqual(['x', 'X'])
  })

  test('defaults that do not fit, and names of fields and symbols that are none', () => {
    const fields = [
      { name: 'a-b', type: ['null', 'string'], default: '' },
      { name: '__proto__', type: 'double', default: '0' },
      { name: 'e', type: { type: 'enum', name: 'E', symbols: ['1-a', '2 b'], default: 'none' } },
    ]
    const text = JSON.stringify({ type: 'record', name: 'R', fields })
    const body = Buffer.from([2, 2, 0x61, 0, 0, 0, 0, 0, 0, 0xf0, 0x3f, 2])
    const paths = ['a-b', '__proto__', 'e'].map(path)
    expect(projectAvro(text, [], paths)(body, 0)).toEqual(['a', 1, '2 b'])
  })

  test('references, by name and in any order, also of each other', () => {
    const country = { type: 'enum', name: 'Country', namespace: 'com.bank', symbols: ['DE', 'FR'] }
    const merchant = record({ id: 'string', country: 'Country' }, 'com.bank.Merchant')
    const text = JSON.stringify(
      record({ merchant: ['null', 'com.bank.Merchant'], again: 'com.bank.Country' }),
    )
    const paths = ['merchant.country', 'again'].map(path)
    const body = Buffer.from([2, 2, 0x78, 2, 0])
    const texts = [merchant, country].map((schema) => JSON.stringify(schema))
    const named = new Map([
      ['com.bank.Country', texts[1]!],
      ['com.bank.Merchant', texts[0]!],
    ])
    for (const references of [texts, texts.toReversed(), named]) {
      expect(projectAvro(text, references, paths)(body, 0)).toEqual(['FR', 'DE'])
    }
    expect(() => projectAvro(text, [], paths)).toThrow(
      `The writer's schema cannot be read: neither it nor its references define "com.bank.Merchant".`,
    )
  })

  test('a Debezium envelope, whose row is named once and used twice', () => {
    const row = record({ id: 'long', amount: { type: 'bytes', logicalType: 'decimal', scale: 2 } })
    const value = { ...row, name: 'Value', namespace: 'bank.public.payments' }
    const envelope = {
      ...record({ before: ['null', value], after: ['null', 'Value'], op: 'string' }, 'Envelope'),
      namespace: 'bank.public.payments',
    }
    const after = { 'bank.public.payments.Value': { id: 4, amount: Buffer.from([10]) } }
    const event = { before: null, after, op: 'c' }
    const found = readBack(envelope, event, ['after.id', 'after.amount', 'before.id', 'op'])
    expect(found).toEqual([4, new ExactDecimal(10n, 2), undefined, 'c'])
  })

  test('a decimal that brings its scale along', () => {
    const decimal = record({ scale: 'int', value: 'bytes' }, 'VariableScaleDecimal', {
      'connect.name': 'io.debezium.data.VariableScaleDecimal',
    })
    const event = { a: { scale: 3, value: Buffer.from([5]) } }
    expect(readBack(record({ a: decimal }), event, ['a'])).toEqual([new ExactDecimal(5n, 3)])
  })

  test.each([
    ['no JSON', '{', 'its text is no JSON'],
    ['no type', '{"name":"R"}', 'a type is no schema'],
    ['no fields', '{"type":"record","name":"R"}', 'a record has no fields'],
    ['a field without a type', '{"type":"record","name":"R","fields":[{"name":"a"}]}', 'no schema'],
    ['a fixed without a size', '{"type":"fixed","name":"F","size":-1}', 'a fixed has no size'],
    ['an enum without symbols', '{"type":"enum","name":"E"}', 'an enum has no symbols'],
    ['nesting without end', '['.repeat(200_000) + ']'.repeat(200_000), 'cannot be read'],
  ])('%s is refused with a sentence', (_name, text, reason) => {
    expect(() => projectAvro(text, [], [path('a')])).toThrow(reason)
  })

  test('a type of a type', () => {
    const text = JSON.stringify(record({ a: { type: { type: { type: 'string' } } } }))
    expect(projectAvro(text, [], [path('a')])(Buffer.from([2, 0x61]), 0)).toEqual(['a'])
  })

  test('a bare name, as some registries give it', () => {
    expect(projectAvro('string', [], [[]])(Buffer.from([2, 0x61]), 0)).toEqual(['a'])
  })
})

describe('projectAvro, types that contain themselves', () => {
  const node = record({ value: 'int', next: ['null', 'Node'], more: ['null', 'Node'] }, 'Node')
  const text = JSON.stringify(node)
  const chain = { value: 1, next: { Node: { value: 2, next: null, more: null } }, more: null }

  test('are read as deep as a path goes', () => {
    const paths = ['value', 'next.value', 'next.next.value', 'more']
    expect(readBack(node, chain, paths)).toEqual([1, 2, undefined, null])
  })

  test('compile in time however long the path', () => {
    const branches = ['A', 'B', 'C'].map((name) => record({ next: ['A', 'B', 'C'] }, name))
    const deep = path(Array.from({ length: 60 }, () => 'next').join('.'))
    // A refers to B before B is defined: they are each other's references.
    const texts = branches.map((branch) => JSON.stringify(branch))
    expect(() => projectAvro(JSON.stringify(branches[0]), texts.slice(1), [deep])).not.toThrow()
  })

  test('nested without end are refused, read and stepped over', () => {
    const endless = Buffer.from(Array.from({ length: 100_000 }, (_, i) => (i % 2 ? 2 : 0)))
    for (const wanted of ['value', 'next', 'next.next.value']) {
      expect(() => projectAvro(text, [], [path(wanted)])(endless, 0)).toThrow('nested too deeply')
    }
    const empty = JSON.stringify(record({ a: 'R', b: 'R' }))
    expect(() => projectAvro(empty, [], [path('a')])(Buffer.alloc(0), 0)).toThrow('too deeply')
  })
})

describe('projectAvro, hostile bytes', () => {
  const schema = record({
    id: 'string',
    flags: { type: 'array', items: ['null', 'boolean', record({ n: 'double' }, 'N')] },
    map: { type: 'map', values: { type: 'array', items: 'long' } },
    kind: { type: 'enum', name: 'K', symbols: ['A', 'B'] },
    data: 'bytes',
    count: 'int',
    rest: ['null', 'R'],
  })
  const text = JSON.stringify(schema)
  const type = avsc.Type.forSchema(schema as avsc.Schema, { wrapUnions: true })
  const inner = {
    id: 'abc',
    flags: [null, { boolean: true }, { N: { n: 1.5 } }],
    map: { k: [1, 2 ** 40], l: [] },
    kind: 'B',
    data: Buffer.from([1, 2, 3]),
    count: -5,
    rest: null,
  }
  const body = type.toBuffer({ ...inner, rest: { R: inner } })
  const all = ['id', 'flags', 'flags[2].n', 'map.k[1]', 'kind', 'data', 'count', 'rest.map', 'rest']
  const readAll = projectAvro(text, [], all.map(path))
  const skipAll = projectAvro(text, [], [path('none')])

  test('every cut throws, and so does every byte more', () => {
    expect(readAll(body, 0)).toHaveLength(all.length)
    expect(skipAll(body, 0)).toEqual([undefined])
    for (let end = 0; end < body.length; end++) {
      expect(() => readAll(body.subarray(0, end), 0)).toThrow()
      expect(() => skipAll(body.subarray(0, end), 0)).toThrow()
    }
    const longer = Buffer.concat([body, Buffer.from([0])])
    for (const read of [readAll, skipAll]) expect(() => read(longer, 0)).toThrow('1 bytes left')
  })

  /** As Weir's own avsc types read them, which refuse forged figures; null where they refuse. */
  const plain = parseSchema(text)
  function plainId(bytes: Buffer): string | null {
    try {
      const { value, offset } = plain.decode(bytes, 0)
      return offset === bytes.length ? (value as typeof inner).id : null
    } catch {
      return null
    }
  }

  test('changed and random bytes end: by throwing, or as avsc reads them', () => {
    const random = randomOf(20260131)
    let readCount = 0
    for (let round = 0; round < 20_000; round++) {
      const bytes = round % 2 === 0 ? random.bytes(1 + random.below(60)) : random.changed(body)
      let raws: unknown[]
      try {
        raws = readAll(bytes, 0)
      } catch (error) {
        expect(error).toBeInstanceOf(Error)
        continue
      }
      readCount++
      expect(raws).toHaveLength(all.length)
      expect(skipAll(bytes, 0)).toEqual([undefined])
      const id = plainId(bytes)
      if (id !== null) expect(raws[0]).toBe(id)
    }
    expect(readCount).toBeGreaterThan(500)
  })

  test.each([
    ['a count of 2^53', { type: 'array', items: 'null' }, 'ffffffffffffff3f'],
    ['a count of -2^63', { type: 'array', items: 'null' }, 'ffffffffffffffffff01'],
    ['an endless number', 'long', 'ffffffffffffffffffffffff'],
    ['65 bits', 'long', 'ffffffffffffffffff02'],
    ['a length of -1', 'string', '0161'],
    ['an int beyond 32 bits', 'int', 'ffffffff3f'],
    ['a flag of 2', 'boolean', '02'],
    ['a symbol that is none', { type: 'enum', name: 'E', symbols: ['A'] }, '02'],
    ['a branch that is none', ['null', 'int'], '04'],
    ['a branch of -1', ['null', 'int'], '01'],
    ['a half float', 'float', '0000'],
    [
      'a decimal of 1000 bytes',
      { type: 'bytes', logicalType: 'decimal' },
      `d00f${'01'.repeat(1000)}`,
    ],
  ])('%s is refused', (_name, of, hex) => {
    const read = projectAvro(JSON.stringify(record({ a: of })), [], [path('a')])
    expect(() => read(Buffer.from(hex, 'hex'), 0)).toThrow(Error)
  })

  test('items of no size cost no more than the body has bytes', () => {
    const nulls = JSON.stringify(record({ a: { type: 'array', items: 'null' } }))
    const block = [0x80, 0xfa, 0x01]
    const bytes = Buffer.from([...Array.from({ length: 5000 }, () => block).flat(), 0])
    expect(() => projectAvro(nulls, [], [path('a')])(bytes, 0)).toThrow('impossible length')
    expect(() => projectAvro(nulls, [], [path('b')])(bytes, 0)).toThrow('impossible length')
  })
})
