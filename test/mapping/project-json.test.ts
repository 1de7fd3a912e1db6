// JSON bodies: digits are kept, prototypes are not seen, and what is no object is refused.

import { describe, expect, test } from 'vitest'
import type { PathStep } from '../../services/core/input-mapping.ts'
import { projectJson } from '../../services/mapping/project-json.ts'
import { randomOf } from './seeded-bytes.ts'

const at = (...parts: readonly (string | number)[]): PathStep[] =>
  parts.map((part) => {
    if (part === '{}') return { kind: 'json' }
    return typeof part === 'number' ? { kind: 'index', index: part } : { kind: 'name', name: part }
  })

const read = (text: string | Buffer, ...steps: PathStep[][]): unknown[] =>
  projectJson(steps)(Buffer.from(text), 0)

describe('projectJson', () => {
  test.each([
    ['{"a":1}', at('a'), 1],
    ['{"a":{"b":[0,{"c":"x"}]}}', at('a', 'b', 1, 'c'), 'x'],
    ['{"a":{"b":[0]}}', at('a', 'b', 1), undefined],
    ['{"a":[1]}', at('a', 'length'), undefined],
    ['{"a":[1]}', at('a', -1), undefined],
    ['{"a":[1]}', at('a', '0'), undefined],
    ['{"a":null}', at('a'), null],
    ['{"a":null}', at('a', 'b'), undefined],
    ['{"a":"text"}', at('a', 'length'), undefined],
    ['{"a":"text"}', at('a', 0), undefined],
    ['{}', at('constructor'), undefined],
    ['{}', at('__proto__'), undefined],
    ['{"__proto__":{"b":7}}', at('__proto__', 'b'), 7],
    ['{"a":"{\\"b\\":12345678901234567890}"}', at('a', '{}', 'b'), 12345678901234567890n],
    ['{"a":"{\\"b\\":"}', at('a', '{}', 'b'), undefined],
    ['{"a":7}', at('a', '{}'), undefined],
    ['{"a":"7"}', at('a', '{}'), 7],
    ['{"a":1,"a":2}', at('a'), 2],
    ['\ufeff{"a":1}', at('a'), 1],
    [' \r\n{"a":1}\n', at('a'), 1],
  ])('%s', (text, steps, expected) => {
    expect(read(text, steps)).toEqual([expected])
  })

  test.each([
    ['9007199254740991', 9007199254740991],
    ['9007199254740993', 9007199254740993n],
    ['-1234567890123456789', -1234567890123456789n],
    ['"9007199254740993"', '9007199254740993'],
    ['0.12345678901234567', Number('0.12345678901234567')],
    ['12345678901234567.5', Number('12345678901234567.5')],
    ['1e300', 1e300],
    ['[1,9007199254740993]', [1, 9007199254740993n]],
    ['[9007199254740993]', [9007199254740993n]],
    ['\t9007199254740993', 9007199254740993n],
  ])('the digits of %s', (number, expected) => {
    expect(read(`{"a":${number}}`, at('a'))).toEqual([expected])
    expect(read(`{"b":"x","a":${number},"c":[{}]}`, at('a'), at('b'))).toEqual([expected, 'x'])
  })

  test('values in the order of the paths, from an offset', () => {
    const bytes = Buffer.concat([Buffer.from([0, 0, 0, 0, 7]), Buffer.from('{"a":1,"b":true}')])
    expect(projectJson([at('b'), at('none'), at('a'), at('b')])(bytes, 5)).toEqual([
      true,
      undefined,
      1,
      true,
    ])
  })

  test('a text that several paths read is parsed once, and rows do not share what they hold', () => {
    const text = '{"a":"{\\"b\\":{\\"c\\":1},\\"d\\":2}"}'
    const reader = projectJson([at('a', '{}', 'b'), at('a', '{}', 'b', 'c'), at('a', '{}', 'd')])
    const first = reader(Buffer.from(text), 0)
    expect(first).toEqual([{ c: 1 }, 1, 2])
    expect(reader(Buffer.from('{}'), 0)).toEqual([undefined, undefined, undefined])
    expect(first).toEqual([{ c: 1 }, 1, 2])
  })

  test.each([
    '',
    'null',
    '7',
    '"secret"',
    '[{"a":1}]',
    '{"a":NaN}',
    '{"a":1',
    '{"a":1}{"a":2}',
    'secret',
    '{"a":12345678901234567890',
    `${'{"a":'.repeat(200_000)}1`,
  ])('%s is refused, and not shown', (text) => {
    expect(() => read(text, at('a'))).toThrow(/^the value is no JSON object$/)
  })

  test('bytes that are no UTF-8 are refused, not replaced', () => {
    const bytes = Buffer.from('{"a":"?"}')
    bytes[6] = 0xff
    expect(() => read(bytes, at('a'))).toThrow('no UTF-8 text')
  })

  test('cuts and random bytes throw', () => {
    const body = Buffer.from('{"a":"x","b":[1,2,{"c":null}],"d":9007199254740993}')
    const reader = projectJson([at('a'), at('d')])
    for (let end = 0; end < body.length; end++) {
      expect(() => reader(body.subarray(0, end), 0)).toThrow()
    }
    const random = randomOf(7)
    for (let round = 0; round < 5000; round++) {
      const bytes = random.bytes(1 + random.below(40))
      expect(() => reader(bytes, 0)).toThrow(/^the value is no/)
    }
  })
})
