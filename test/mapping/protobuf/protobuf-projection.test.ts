// Protobuf bytes written by hand here, read by path; .proto texts as people write them.

import { describe, expect, test } from 'vitest'
import type { PathStep } from '../../../services/core/input-mapping.ts'
import { ExactDecimal, Instant, LocalTime } from '../../../services/core/raw-values.ts'
import { projectProtobuf } from '../../../services/mapping/protobuf/protobuf-projection.ts'
import { randomOf } from '../seeded-bytes.ts'

// A tiny encoder of its own: it knows of wire types and of nothing else.
function varint(value: bigint | number): Buffer {
  const bytes: number[] = []
  let rest = BigInt.asUintN(64, BigInt(value))
  for (; rest > 127n; rest >>= 7n) bytes.push(Number(rest & 127n) | 128)
  return Buffer.from([...bytes, Number(rest)])
}
const zigzag = (value: bigint): bigint => (value << 1n) ^ (value >> 63n)
const join = (...parts: readonly Buffer[]): Buffer => Buffer.concat(parts)
const number = (field: number, value: bigint | number) => join(varint(field * 8), varint(value))
const bytes = (field: number, body: Buffer | string) =>
  join(varint(field * 8 + 2), varint(Buffer.byteLength(body)), Buffer.from(body))
const message = (field: number, ...parts: readonly Buffer[]) => bytes(field, join(...parts))
const four = (field: number, body: Buffer) => join(varint(field * 8 + 5), body)
const eight = (field: number, body: Buffer) => join(varint(field * 8 + 1), body)
const double = (value: number): Buffer => {
  const body = Buffer.alloc(8)
  body.writeDoubleLE(value)
  return body
}

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

function read(proto: string, paths: readonly string[], ...parts: readonly Buffer[]): unknown[] {
  const framed = join(Buffer.from([0, 0, 0, 0, 7, 0]), ...parts)
  return projectProtobuf(proto, [], paths.map(path))(framed, 5)
}

const proto3 = (body: string): string => `syntax = "proto3";\n${body}`
const one = (field: string): string => proto3(`message M { ${field} }`)
const max = 2n ** 63n - 1n

describe('projectProtobuf, values', () => {
  test.each([
    ['string', bytes(1, 'über'), 'über', ''],
    ['bytes', bytes(1, Buffer.from([1, 2])), Buffer.from([1, 2]), Buffer.alloc(0)],
    ['bool', number(1, 1), true, false],
    ['double', eight(1, double(-0.1)), -0.1, 0],
    ['float', four(1, Buffer.from([0, 0, 0xc0, 0x3f])), 1.5, 0],
    ['int32', number(1, -5), -5, 0],
    ['int32', number(1, 2147483647), 2147483647, 0],
    ['uint32', number(1, 4294967295), 4294967295, 0],
    ['sint32', number(1, zigzag(-2147483648n)), -2147483648, 0],
    ['fixed32', four(1, Buffer.from('ffffffff', 'hex')), 4294967295, 0],
    ['sfixed32', four(1, Buffer.from('ffffffff', 'hex')), -1, 0],
    ['int64', number(1, -5), -5, 0],
    ['int64', number(1, 1_704_110_400_123), 1_704_110_400_123, 0],
    ['int64', number(1, 2n ** 53n - 1n), 2 ** 53 - 1, 0],
    ['int64', number(1, 2n ** 53n), 2n ** 53n, 0],
    ['int64', number(1, 2n ** 56n + 1n), 2n ** 56n + 1n, 0],
    ['int64', number(1, max), max, 0],
    ['int64', number(1, -max), -max, 0],
    ['uint64', number(1, 2n ** 64n - 1n), 2n ** 64n - 1n, 0],
    ['sint64', number(1, zigzag(-max)), -max, 0],
    ['sint64', number(1, zigzag(-7n)), -7, 0],
    ['fixed64', eight(1, Buffer.from('ffffffffffffffff', 'hex')), 2n ** 64n - 1n, 0],
    ['sfixed64', eight(1, Buffer.from('ffffffffffffffff', 'hex')), -1, 0],
  ])('%s', (type, body, value, zero) => {
    expect(read(one(`${type} a = 1;`), ['a'], body)).toEqual([value])
    expect(read(one(`${type} a = 1;`), ['a'])).toEqual([zero])
    expect(read(one(`optional ${type} a = 1;`), ['a'], body)).toEqual([value])
    expect(read(one(`optional ${type} a = 1;`), ['a'])).toEqual([undefined])
    expect(read(`message M { optional ${type} a = 1; }`, ['a'])).toEqual([undefined])
    expect(read(one(`repeated ${type} a = 1;`), ['a', 'a[1]'], body, body)).toEqual([
      [value, value],
      value,
    ])
    expect(read(one(`${type} a = 1; string z = 2;`), ['z'], body, bytes(2, 'end'))).toEqual(['end'])
  })

  test('an enum is its name, an unknown one its number', () => {
    const text = proto3('message M { Kind a = 1; enum Kind { NONE = 0; CARD = 1; OLD = -1; } }')
    expect(read(text, ['a'], number(1, 1))).toEqual(['CARD'])
    expect(read(text, ['a'], number(1, -1))).toEqual(['OLD'])
    expect(read(text, ['a'], number(1, 9))).toEqual([9])
    expect(read(text, ['a'])).toEqual(['NONE'])
  })

  test('the last one of a field counts, and of a oneof the last member', () => {
    const text = one('oneof of { string a = 1; int32 b = 2; string c = 3; } string d = 4;')
    const paths = ['a', 'b', 'd']
    expect(read(text, paths, bytes(4, 'x'), bytes(4, 'y'))).toEqual([undefined, undefined, 'y'])
    expect(read(text, paths, bytes(1, 'x'), number(2, 0))).toEqual([undefined, 0, ''])
    expect(read(text, paths, number(2, 7), bytes(1, 'x'))).toEqual(['x', undefined, ''])
    expect(read(text, paths, bytes(1, 'x'), bytes(3, 'c'))).toEqual([undefined, undefined, ''])
  })

  test('packed numbers, and packed beside others', () => {
    const packed = bytes(1, join(varint(3), varint(-1), varint(300)))
    expect(read(one('repeated int32 a = 1;'), ['a', 'a[4]', 'a[5]'], packed, packed)).toEqual([
      [3, -1, 300, 3, -1, 300],
      -1,
      300,
    ])
    const mixed = join(number(1, 9), packed)
    expect(read(one('repeated int32 a = 1;'), ['a[1]'], mixed)).toEqual([3])
    expect(read(one('repeated int32 a = 1;'), ['a', 'a[0]'])).toEqual([[], undefined])
  })

  test('maps by key', () => {
    const entry = (key: string, ...value: readonly Buffer[]) => message(1, bytes(1, key), ...value)
    const texts = one('map<string, string> a = 1;')
    const parts = [entry('k', bytes(2, 'v')), entry('__proto__', bytes(2, 'w')), entry('k')]
    expect(read(texts, ['a.k', 'a.__proto__', 'a.none'], parts[0]!, parts[1]!)).toEqual([
      'v',
      'w',
      undefined,
    ])
    expect(read(texts, ['a.k', 'a'], ...parts)).toEqual(['', { k: '', ['__proto__']: 'w' }])
    const numbers = `${one('map<int64, Item> a = 1;')}message Item { int32 n = 1; string s = 2; }`
    const item = message(1, message(2, number(1, 5), bytes(2, 'x')), number(1, 12))
    expect(read(numbers, ['a.12.n', 'a.12', 'a.13.n'], item)).toEqual([
      5,
      { n: 5, s: 'x' },
      undefined,
    ])
    expect(read(numbers, ['a.12.n', 'a.12.s'], item, message(1, number(1, 12)))).toEqual([0, ''])
  })

  test('well known messages', () => {
    const text = proto3(`
      import "google/protobuf/timestamp.proto";
      message M {
        google.protobuf.Timestamp at = 1;
        google.protobuf.StringValue text = 2;
        google.protobuf.Int64Value number = 3;
        google.type.Money money = 4;
        .google.type.Date day = 5;
        confluent.type.Decimal exact = 6;
        google.type.Decimal decimal = 7;
      }`)
    const names = ['at', 'text', 'number', 'money', 'day', 'exact', 'decimal']
    expect(read(text, [...names, 'at.seconds'])).toEqual(Array(8).fill(undefined))
    const parts = [
      message(1, number(1, 1_704_110_400), number(2, 123_999_999)),
      message(2, bytes(1, 'x')),
      message(3),
      message(4, bytes(1, 'EUR'), number(2, 2n ** 60n), number(3, -5)),
      message(5, number(1, 2024), number(2, 2), number(3, 29)),
      message(6, bytes(1, Buffer.from([0xfc, 0x18])), number(2, 9), number(3, 2)),
      message(7, bytes(1, '12.50')),
    ]
    expect(read(text, [...names, 'at.seconds', 'money.currencyCode'], ...parts)).toEqual([
      new Instant(1_704_110_400_123),
      'x',
      0,
      { currency_code: 'EUR', units: 2n ** 60n, nanos: -5 },
      new LocalTime('2024-02-29'),
      new ExactDecimal(-1000n, 2),
      '12.50',
      1_704_110_400,
      'EUR',
    ])
    expect(read(text, ['at'], message(1, number(1, -1), number(2, 1)))).toEqual([
      new Instant(-1000),
    ])
  })
})

const bank = `
// A file as people have them.
syntax = "proto3";
package com.bank.v1;

import "com/bank/merchant.proto";
import public "google/protobuf/timestamp.proto";
option java_package = "com.bank";
option (my.option) = { a: 1 b: "}" };

/* Payments; also { braces } in comments. */
message Payment {
  reserved 2, 15, 9 to 11;
  reserved "foo", "bar";
  option deprecated = false;
  string transaction_id = 1 [(validate.rules).string = {min_len: 1, max_len: 64}, json_name = "id"];
  int64 amount = 3 [jstype = JS_STRING]; // minor units
  Status status = 4;
  enum Status { option allow_alias = true; UNKNOWN = 0 [deprecated = true]; OK = 1; FINE = 1; }
  com.bank.Merchant merchant = 5;
  repeated Item items = 6;
  message Item {
    string sku = 1;
    map<string, .com.bank.Country> origin = 0x2;
    message Deep { Item parent = 1; string message = 2; int32 optional_count = 3; }
    repeated Deep deep = 3;
  }
  oneof method { Card card = 7; string iban = 8; }
  string raw = 12;
  Payment original = 13;
  Missing elsewhere = 14;
  ;
}
message Card { string pan = 1; Payment.Status status = 2; }
service Payments { rpc Pay (Payment) returns (Payment) { option (google.api.http) = { post: "/" }; } }
extend google.protobuf.FieldOptions { string x = 50000; }
message Refund { string reason = 1; message Part { int32 n = 1; } enum E { A = 0; } message Last { string transaction_id = 1; } }
`
const merchant = `syntax = 'proto3'; package com.bank;
  message Merchant { string id = 1; Country country = 2; } enum Country { XX = 0; DE = 1; }`

describe('projectProtobuf, .proto texts', () => {
  const framed = (indexes: readonly number[], ...parts: readonly Buffer[]) =>
    join(Buffer.from([0, 0, 0, 0, 7, ...indexes]), ...parts)
  const paths = [
    'transaction_id',
    'transactionId',
    'amount',
    'status',
    'merchant.id',
    'merchant.country',
    'items[1].sku',
    'items[0].origin.here',
    'items[0].deep[0].message',
    'items[0].deep[0].parent.sku',
    'card.pan',
    'card.status',
    'iban',
    'raw.{}.user',
    'original.original.amount',
    'none.at.all',
  ]
  const payment = [
    bytes(1, 't1'),
    number(3, 1234),
    number(4, 1),
    message(5, bytes(1, 'm1'), number(2, 1)),
    message(
      6,
      message(2, bytes(1, 'here'), number(2, 1)),
      message(3, bytes(2, 'deep'), message(1, bytes(1, 'parent'))),
    ),
    message(6, bytes(1, 's1')),
    message(7, bytes(1, '4111'), number(2, 1)),
    bytes(12, '{"user":9007199254740993}'),
    message(13, message(13, number(3, 7))),
    message(14, number(1, 1)),
    // Fields that the schema does not know, a group too.
    number(100, 5),
    join(varint(101 * 8 + 3), number(1, 5), bytes(2, 'x'), varint(101 * 8 + 4)),
  ]
  const expected = ['t1', 't1', 1234, 'OK', 'm1', 'DE', 's1', 'DE', 'deep', 'parent', '4111', 'OK']
  expected.push(undefined as never, 9007199254740993n as never, 7, undefined as never)

  test('a file as people have them, with what it imports', () => {
    const found = projectProtobuf(bank, [merchant], paths.map(path))
    expect(found(framed([0], ...payment), 5)).toEqual(expected)
    const named = new Map([['com/bank/merchant.proto', merchant]])
    expect(projectProtobuf(bank, named, paths.map(path))(framed([2, 0], ...payment), 5)).toEqual(
      expected,
    )
  })

  test('message indexes, nested ones too', () => {
    const found = projectProtobuf(bank, [merchant], ['transaction_id', 'reason', 'n'].map(path))
    expect(found(framed([2, 4], bytes(1, 'why')), 5)).toEqual([undefined, 'why', undefined])
    expect(found(framed([4, 4, 0], number(1, 5)), 5)).toEqual([undefined, undefined, 5])
    expect(found(framed([4, 4, 2], bytes(1, 'x')), 5)).toEqual(['x', undefined, undefined])
    for (const indexes of [[2, 6], [4, 4, 4], [1], [2, 1], [0xff, 0xff, 3]]) {
      expect(() => found(framed(indexes), 5)).toThrow(/no message/)
    }
    expect(() => found(framed([]), 5)).toThrow('ends inside')
  })

  test('whole messages, also such that contain themselves', () => {
    const [whole] = projectProtobuf(
      bank,
      [merchant],
      [path('original')],
    )(framed([0], ...payment), 5)
    const zeros = { transaction_id: '', items: [], raw: '', status: 'UNKNOWN' }
    expect(whole).toEqual({ ...zeros, amount: 0, original: { ...zeros, amount: 7 } })
  })

  test('proto2 and editions: labels, groups, extensions, defaults', () => {
    const text = `
      syntax = "proto2";
      message M {
        required string id = 1;
        optional int32 count = 2 [default = 5];
        repeated group Line = 3 { optional string text = 1; }
        extensions 100 to max;
        extend M { optional int32 more = 100; }
        optional Kind kind = 4 [default = B];
        enum Kind { A = 1; B = 2; }
        optional string text = 010;
      }`
    const group = join(varint(3 * 8 + 3), bytes(1, 'line'), varint(3 * 8 + 4))
    const parts = [bytes(1, 'x'), group, number(4, 2), bytes(8, 'octal')]
    expect(read(text, ['id', 'count', 'kind', 'text'], ...parts)).toEqual([
      'x',
      undefined,
      'B',
      'octal',
    ])
    expect(read('edition = "2023"; message M { int32 a = 1; }', ['a'])).toEqual([undefined])
    expect(() => read(text, ['Line.text'])).toThrow('define "group"')
  })

  test.each([
    ['no .proto', '{"type":"record"}', 'found "{", expected a message'],
    ['an open message', 'message M { string a = 1;', 'ends too early'],
    ['an open comment', 'message M { /* ', 'cannot be read'],
    ['an open text', 'syntax = "proto3', 'signs that do not belong'],
    ['a field without a number', 'message M { string a; }', 'expected "="'],
    ['a number that is none', 'message M { string a = b; }', 'expected a whole number'],
    ['a key that is none', 'message M { map<Foo, string> a = 1; }', "type of a map's keys"],
    ['nesting without end', 'message M {'.repeat(100_000), 'cannot be read'],
    ['a wanted type that nobody defines', 'message M { x.Y a = 1; }', 'define "x.Y"'],
  ])('%s is refused with a sentence', (_name, text, reason) => {
    expect(() => projectProtobuf(text, [], [path('a')])).toThrow(reason)
    expect(() => projectProtobuf(text, [], [path('a')])).toThrow("The writer's schema cannot")
  })

  describe('hostile bytes', () => {
    const readAll = projectProtobuf(bank, [merchant], [...paths, 'items', 'original'].map(path))
    const skipAll = projectProtobuf(bank, [merchant], [path('none')])
    const body = framed([0], ...payment)

    test('a cut throws, or stands between two fields', () => {
      const whole = readAll(body, 5)
      let thrown = 0
      for (let end = 5; end < body.length; end++) {
        try {
          const raws = readAll(body.subarray(0, end), 5)
          expect([whole[0], '']).toContain(raws[0])
          expect([whole[2], 0]).toContain(raws[2])
        } catch {
          thrown++
        }
      }
      expect(body.length - 5 - thrown).toBe(payment.length)
    })

    test('changed and random bytes end', () => {
      const random = randomOf(42)
      for (let round = 0; round < 20_000; round++) {
        const hostile =
          round % 2 === 0 ? framed([0], random.bytes(random.below(60))) : random.changed(body)
        for (const reader of [readAll, skipAll]) {
          try {
            expect(reader(hostile, 5).length).toBe(reader === readAll ? paths.length + 2 : 1)
          } catch (error) {
            expect(error).toBeInstanceOf(Error)
          }
        }
      }
    })

    test.each([
      ['field number 0', '00', 'no tag'],
      ['wire type 6', 'a601', 'wire type that is none'],
      ['the end of no group', 'a401', 'wire type that is none'],
      ['a group without an end', 'a301', 'ends inside'],
      ['the end of another group', 'a306ac06', 'another group'],
      ['a length beyond the end', '0aff01', 'ends inside'],
      ['a length of 2^63', '0affffffffffffffffff01', 'impossible length'],
      ['an endless number', '18ffffffffffffffffffffff', '64 bits'],
      ['another wire type', '0801', 'another wire type'],
      ['a tag beyond 32 bits', 'ffffffffff01', 'no tag'],
      ['groups without end', 'a306'.repeat(200), 'nested too deeply'],
    ])('%s is refused', (_name, hex, reason) => {
      expect(() => readAll(framed([0], Buffer.from(hex, 'hex')), 5)).toThrow(reason)
    })

    test('messages nested without end are refused', () => {
      let nested: Buffer = Buffer.alloc(0)
      for (let depth = 0; depth < 200; depth++) nested = message(13, nested)
      expect(() => readAll(framed([0], nested), 5)).toThrow('nested too deeply')
    })
  })
})
