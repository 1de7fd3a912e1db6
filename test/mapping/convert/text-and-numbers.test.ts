// Texts, numbers, flags: what each raw value becomes, and what is refused.

import { assert, bigInt, double, property } from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { FieldType } from '../../../services/core/input-mapping.ts'
import { ExactDecimal, LocalTime } from '../../../services/core/raw-values.ts'
import { createConverter } from '../../../services/mapping/convert/create-converter.ts'
import {
  floorToScale,
  readDecimal,
  toScale,
} from '../../../services/mapping/convert/exact-decimal.ts'

const convertAs = (type: FieldType) => createConverter(type).convert
const decimal = (unscaled: bigint, scale: number) => new ExactDecimal(unscaled, scale)

const wrongKinds: unknown[] = [
  ...[{}, [], ['1'], { a: 1 }, Buffer.from('1'), new Uint8Array(2), new Date(0)],
  ...[new LocalTime('2026-01-31'), Symbol('1'), () => 1],
]

describe('text', () => {
  const convert = convertAs({ kind: 'text' })

  it.each([
    ['card-1', 'card-1'],
    [' padded ', ' padded '],
    ['NaN', 'NaN'],
    ['007', '007'],
    ['', null],
    [' \t\n\u00a0', null],
    [null, null],
    [undefined, null],
    [Number.NaN, null],
    [0, '0'],
    [-0, '0'],
    [7, '7'],
    [-7.0, '-7'],
    [Number.MAX_SAFE_INTEGER, '9007199254740991'],
    [9007199254740993n, '9007199254740993'],
    [10n ** 40n, `1${'0'.repeat(40)}`],
    [true, 'true'],
    [false, 'false'],
    [decimal(12_345_678_901_234_567_890n, 0), '12345678901234567890'],
    [decimal(4200n, 2), '42'],
    [decimal(42n, -2), '4200'],
  ])('takes %o as %o', (raw, expected) => {
    expect(convert(raw)).toBe(expected)
  })

  it.each([
    ...[1.5, 2 ** 53, -(2 ** 53), 1e300, Infinity, -Infinity, decimal(4201n, 2)],
    ...wrongKinds,
  ])('refuses %o', (raw) => {
    expect(convert(raw)).toBeUndefined()
  })
})

describe('integer', () => {
  const convert = convertAs({ kind: 'integer' })

  it.each([
    [5, 5],
    [-5, -5],
    [-0, 0],
    [7n, 7],
    [decimal(1200n, 2), 12],
    ['12', 12],
    ['+12', 12],
    ['-12', -12],
    ['-0', 0],
    [' 12 ', 12],
    ['0012', 12],
    ['9007199254740991', Number.MAX_SAFE_INTEGER],
    ['-9007199254740991', -Number.MAX_SAFE_INTEGER],
    [`${'0'.repeat(30)}12`, 12],
    ['', null],
    ['  ', null],
    ['NaN', null],
    [Number.NaN, null],
    [null, null],
    [undefined, null],
  ])('takes %o as %o', (raw, expected) => {
    expect(convert(raw)).toBe(expected)
  })

  it.each([
    ...[1.5, 2 ** 53, Infinity, 2n ** 53n, decimal(1201n, 2), decimal(1n, -20), true, false],
    ...['12.0', '1.5', '1e3', '0x10', '1,000', '1_000', '--1', '-', '+', '1-', 'twelve', '12a'],
    ...['9007199254740992', '9007199254740993', '99999999999999999999', '٣', '١٢'],
    ...wrongKinds,
  ])('refuses %o', (raw) => {
    expect(convert(raw)).toBeUndefined()
  })
})

describe('number', () => {
  const convert = convertAs({ kind: 'number' })

  it.each([
    [1.5, 1.5],
    [-0, 0],
    [1e300, 1e300],
    [7n, 7],
    [decimal(1234n, 2), 12.34],
    [decimal(-5n, 30), -5e-30],
    ['12', 12],
    ['-12.50', -12.5],
    ['+.5', 0.5],
    ['5.', 5],
    ['1e3', 1000],
    ['1.5E-3', 0.0015],
    [' 2.5\n', 2.5],
    ['9007199254740993', 9007199254740992],
    ['-0.0', 0],
    ['', null],
    ['NaN', null],
    ['nan', null],
    [Number.NaN, null],
    [null, null],
  ])('takes %o as %o', (raw, expected) => {
    expect(convert(raw)).toBe(expected)
  })

  it.each([
    ...[Infinity, -Infinity, 10n ** 400n, decimal(1n, -400), true],
    ...['0x10', '0b1', '0o7', 'Infinity', '-Infinity', '1e400', '1,000', '1,5', '1 000', '1_000'],
    ...['.', '-', 'e3', '1e', '1.2.3', '12px', '1n'],
    ...wrongKinds,
  ])('refuses %o', (raw) => {
    expect(convert(raw)).toBeUndefined()
  })

  it('reads back every double that is written as text', () => {
    const isSame = property(double({ noNaN: true, noDefaultInfinity: true }), (value) => {
      expect(convert(String(value))).toBe(value + 0)
      expect(convert(readDecimal(String(value)))).toBe(value + 0)
    })
    assert(isSame, { numRuns: 2000 })
  })
})

describe('flag', () => {
  const yes = ['1', 'true', 'Fraud', 'Y']
  const no = ['0', 'false', 'legit', 'n', ' ']
  const convert = convertAs({ kind: 'flag', yes, no })

  it.each([
    [true, true],
    [false, false],
    [1, true],
    [0, false],
    [-0, false],
    [1n, true],
    [decimal(10n, 1), true],
    ['1', true],
    ['1.0', true],
    ['0.000', false],
    [' FRAUD ', true],
    ['Legit', false],
    ['TRUE', true],
    ['N', false],
    ['', null],
    [' ', null],
    ['maybe', null],
    [2, null],
    [0.5, null],
    [Number.NaN, null],
    [null, null],
    [undefined, null],
  ])('takes %o as %o', (raw, expected) => {
    expect(convert(raw)).toBe(expected)
  })

  it.each(wrongKinds)('refuses %o', (raw) => {
    expect(convert(raw)).toBeUndefined()
  })

  it('has no verdict on booleans and numbers that are not listed', () => {
    const words = convertAs({ kind: 'flag', yes: ['bad'], no: ['good'] })
    expect([true, false, 1, 0].map((raw) => words(raw))).toEqual([null, null, null, null])
    expect([words('Bad'), words('GOOD')]).toEqual([true, false])
  })
})

describe('exact decimals', () => {
  it('toScale - is exact, or says that it cannot be', () => {
    const isExact = property(bigInt({ min: -(10n ** 30n), max: 10n ** 30n }), (unscaled) => {
      expect(toScale(decimal(unscaled * 1000n, 5), 2)).toBe(unscaled)
      expect(toScale(decimal(unscaled * 1000n + 1n, 5), 2)).toBeNull()
      expect(floorToScale(decimal(unscaled * 1000n + 1n, 5), 2)).toBe(unscaled)
      expect(floorToScale(decimal(unscaled * 1000n - 1n, 5), 2)).toBe(unscaled - 1n)
      expect(toScale(decimal(unscaled, 2), 5)).toBe(unscaled * 1000n)
    })
    assert(isExact)
  })

  it('readDecimal - spends no time on numbers that nobody has', () => {
    expect(readDecimal('1e99999')).toBeNull()
    expect(readDecimal('9'.repeat(101))).toBeNull()
    expect(toScale(readDecimal('1e9999')!, 2)).toBeNull()
    expect(toScale(readDecimal('1e-9999')!, 2)).toBeNull()
    expect(toScale(readDecimal('0e9999')!, 2)).toBe(0n)
  })
})
