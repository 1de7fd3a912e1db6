// Paths through plain values: objects, arrays, Maps, and texts of JSON.

import { describe, expect, test } from 'vitest'
import type { PathStep } from '../../services/core/input-mapping.ts'
import { Instant } from '../../services/core/raw-values.ts'
import { compilePath } from '../../services/mapping/compile-path.ts'

const at = (...parts: readonly (string | number)[]): PathStep[] =>
  parts.map((part) => {
    if (part === '{}') return { kind: 'json' }
    return typeof part === 'number' ? { kind: 'index', index: part } : { kind: 'name', name: part }
  })

const inherited = Object.create({ a: 1 })

describe('compilePath', () => {
  test.each([
    ['no step at all', at(), 7, 7],
    ['a name', at('a'), { a: 1 }, 1],
    ['a name of an object without a prototype', at('a'), { __proto__: null, a: 1 }, 1],
    ['an entry of a Map', at('a', 'b'), new Map([['a', { b: 2 }]]), 2],
    ['an entry that a Map has not', at('size'), new Map(), undefined],
    ['an index', at('a', 1), { a: ['x', 'y'] }, 'y'],
    ['an index beyond the end', at(5), ['x'], undefined],
    ['an index of bytes', at(0), Buffer.from([1]), undefined],
    ['a name of an array', at('length'), ['x'], undefined],
    ['a name of a text', at('length'), 'text', undefined],
    ['a part of a moment', at('ms'), new Instant(5), undefined],
    ['a part of a Date', at('getTime'), new Date(0), undefined],
    ['what a prototype has', at('toString'), {}, undefined],
    ['what a prototype of its own has', at('a'), inherited, undefined],
    ['null at the end', at('a'), { a: null }, null],
    ['null on the way', at('a', 'b'), { a: null }, undefined],
    ['JSON in a text', at('a', '{}', 'b', 0), { a: '{"b":[true]}' }, true],
    ['JSON in bytes', at('{}', 'b'), Buffer.from('{"b":1}'), 1],
    ['JSON in JSON', at('{}', '{}'), '"7"', 7],
    ['JSON that is none', at('{}'), 'secret', undefined],
    ['JSON of an object', at('{}'), { a: 1 }, undefined],
    ['a long number in JSON', at('{}'), '12345678901234567890', 12345678901234567890n],
  ])('%s', (_name, steps, root, expected) => {
    expect(compilePath(steps)(root)).toEqual(expected)
  })
})
