// Amounts: exact in every notation, and nothing that could be read in two ways.

import { describe, expect, it } from 'vitest'
import { ExactDecimal } from '../../../services/core/raw-values.ts'
import { createConverter } from '../../../services/mapping/convert/create-converter.ts'
import { iso4217 } from '../../../services/mapping/iso-4217.ts'
import { createRandom } from '../../support/random.ts'

const major = createConverter({
  kind: 'money',
  unit: 'major',
  currency: { field: 'currency' },
  canBeNegative: true,
}).convert
const minor = createConverter({
  kind: 'money',
  unit: 'minor',
  currency: { field: 'currency' },
  canBeNegative: true,
}).convert
const decimal = (unscaled: bigint, scale: number) => new ExactDecimal(unscaled, scale)

describe('money in minor units', () => {
  it.each([
    [1234, 1234],
    [-1234, -1234],
    [-0, 0],
    [1234n, 1234],
    ['1234', 1234],
    ['-1234', -1234],
    ['1234.00', 1234],
    ['1.5e3', 1500],
    [' 1234 ', 1234],
    [decimal(123400n, 2), 1234],
    ['', null],
    ['NaN', null],
    [Number.NaN, null],
    [null, null],
    [undefined, null],
  ])('takes %o as %o', (raw, expected) => {
    expect(minor(raw)).toBe(expected)
  })

  it.each([
    ...[12.5, '12.5', '$12', '1,234', decimal(1n, 1), 2 ** 53, 2n ** 53n, '9007199254740993'],
    ...[Infinity, true, {}, { units: '1' }, [], Buffer.from('1'), new Date(0), 'twelve'],
  ])('refuses %o', (raw) => {
    expect(minor(raw, 'EUR')).toBeUndefined()
  })
})

describe('money in major units', () => {
  it.each<[unknown, string, number]>([
    [12.34, 'EUR', 1234],
    [-12.34, 'EUR', -1234],
    [0.07, 'EUR', 7],
    [1.005, 'KWD', 1005],
    [-0, 'EUR', 0],
    [1100, 'JPY', 1100],
    [0.1, 'CLF', 1000],
    [90071992547409.9, 'EUR', 9007199254740990],
    [12n, 'EUR', 1200],
    [12n, 'JPY', 12],
    [decimal(1234n, 2), 'EUR', 1234],
    [decimal(12_340_000n, 6), 'EUR', 1234],
    [decimal(12n, -2), 'EUR', 120_000],
    ['12.34', 'EUR', 1234],
    ['-12.34', 'EUR', -1234],
    ['+12.34', 'EUR', 1234],
    ['12', 'EUR', 1200],
    ['12.', 'EUR', 1200],
    ['.5', 'EUR', 50],
    ['12.3400', 'EUR', 1234],
    ['0.00', 'EUR', 0],
    ['-0.00', 'EUR', 0],
    ['12.000', 'JPY', 12],
    ['1.2E+3', 'EUR', 120_000],
    ['90071992547409.91', 'EUR', Number.MAX_SAFE_INTEGER],
    [' 12.34 ', 'EUR', 1234],
  ])('takes %o %s as %o', (raw, currency, expected) => {
    expect(major(raw, currency)).toBe(expected)
  })

  it.each<[string, string, number]>([
    ['$1,234.56', 'USD', 123_456],
    ['1,234,567', 'USD', 123_456_700],
    ['-$12.34', 'USD', -1234],
    ['$-12.34', 'USD', -1234],
    ['12.34-', 'USD', -1234],
    ['12.34 USD-', 'USD', -1234],
    ['(12.34)', 'USD', -1234],
    ['$(1,234.56)', 'USD', -123_456],
    ['($12.34)', 'USD', -1234],
    ['(12.34) USD', 'USD', -1234],
    ['USD 12.34', 'USD', 1234],
    ['usd12.34', 'USD', 1234],
    ['US$12.34', 'USD', 1234],
    ['$12.34 USD', 'USD', 1234],
    ['\u221212.34', 'EUR', -1234],
    ['12,34 €', 'EUR', 1234],
    ['12,3\u00a0€', 'EUR', 1230],
    ['€1234,56', 'EUR', 123_456],
    ['-1234,56', 'EUR', -123_456],
    ['¥1,200', 'JPY', 1200],
    ['£0.99', 'GBP', 99],
    ['1,234', 'KWD', 1_234_000],
  ])('takes %s %s as written', (raw, currency, expected) => {
    expect(major(raw, currency)).toBe(expected)
  })

  it.each<[unknown, string]>([
    [12.345, 'USD'],
    [0.1 + 0.2, 'USD'],
    [12.5, 'JPY'],
    [1e-7, 'EUR'],
    [1e21, 'JPY'],
    [2 ** 53, 'JPY'],
    [1e14, 'EUR'],
    [Infinity, 'EUR'],
    [10n ** 15n, 'EUR'],
    [decimal(12_345n, 3), 'USD'],
    [decimal(1n, -30), 'USD'],
    ['12.345', 'USD'],
    ['12.5', 'JPY'],
    ['90071992547409.92', 'EUR'],
    ['1e999', 'EUR'],
    ['1.234,56 €', 'EUR'],
    ['1.234.567', 'EUR'],
    ['1 234,56', 'EUR'],
    ["1'234.56", 'CHF'],
    ['1,23,456.00', 'INR'],
    ['12,3456', 'EUR'],
    ['0,123', 'EUR'],
    ['1234,567', 'EUR'],
    ['1,234,56', 'EUR'],
    ['1,2345.00', 'EUR'],
    ['12,34 JPY', 'JPY'],
    ['--12', 'EUR'],
    ['-12-', 'EUR'],
    ['(-12)', 'EUR'],
    ['-(12)', 'EUR'],
    ['(12', 'EUR'],
    ['12)', 'EUR'],
    ['EUR 12.34', 'USD'],
    ['€12.34', 'USD'],
    ['12.34 points', 'EUR'],
    ['EUR', 'EUR'],
    ['$', 'USD'],
    ['.', 'EUR'],
    ['-', 'EUR'],
    ['0x10', 'EUR'],
    ['Infinity', 'EUR'],
    ['twelve', 'EUR'],
    [true, 'EUR'],
    [{}, 'EUR'],
    [[12], 'EUR'],
    [Buffer.from('12'), 'EUR'],
    [new Date(0), 'EUR'],
  ])('refuses %o %s', (raw, currency) => {
    expect(major(raw, currency)).toBeUndefined()
  })

  it.each([null, undefined, '', 'ZZZ', 'DEM', 'XAU', 'XXX'])('refuses currency %o', (currency) => {
    for (const raw of [12, '12', 12n, decimal(12n, 0)]) {
      expect(major(raw, currency)).toBeUndefined()
    }
    for (const raw of [null, undefined, '', ' ', Number.NaN, 'NaN']) {
      expect(major(raw, currency)).toBeNull()
    }
  })

  it('takes the constant currency, whatever the event has', () => {
    const yen = createConverter({
      kind: 'money',
      unit: 'major',
      currency: { code: 'JPY' },
      canBeNegative: true,
    }).convert
    expect([yen('12'), yen('12', 'EUR'), yen('12', null)]).toEqual([12, 12, 12])
  })

  it.each(['minor', 'major'] as const)('refuses what is negative in %s, if told so', (unit) => {
    const { convert, expectation } = createConverter({
      kind: 'money',
      unit,
      currency: { code: 'EUR' },
      canBeNegative: false,
    })
    expect([-1, '-1', -1n, decimal(-1n, 0)].map((raw) => convert(raw))).toEqual([
      ...[undefined, undefined, undefined, undefined],
    ])
    expect([0, -0, '-0', 1].map((raw) => convert(raw))).not.toContain(undefined)
    expect(convert(null)).toBeNull()
    expect(expectation).toMatch(/, not negative$/)
  })
})

describe('money as units and nanos', () => {
  it.each([
    [{ units: '12', nanos: 340_000_000 }, 1234],
    [{ units: 12n, nanos: '340000000' }, 1234],
    [{ units: 12 }, 1200],
    [{ nanos: 10_000_000 }, 1],
    [{ units: '-12', nanos: -340_000_000 }, -1234],
    [{ units: 0, nanos: -340_000_000 }, -34],
    [{ units: '12', nanos: null, currencyCode: 'EUR' }, 1200],
    [{ units: '12', currency_code: '' }, 1200],
  ])('takes %o', (raw, expected) => {
    expect(major(raw, 'EUR')).toBe(expected)
  })

  it.each([
    { units: '12', nanos: 345_000_000 },
    { units: '12', nanos: 1_000_000_000 },
    { units: '12', nanos: -340_000_000 },
    { units: '-12', nanos: 340_000_000 },
    { units: 12.5 },
    { units: 'x' },
    { units: {} },
    { units: '12', currencyCode: 'USD' },
    { amount: 12 },
  ])('refuses %o', (raw) => {
    expect(major(raw, 'EUR')).toBeUndefined()
  })
})

/** With the point where the currency has it; the sign in front. */
function print(amount: bigint, exponent: number): string {
  const digits = String(amount < 0n ? -amount : amount).padStart(exponent + 1, '0')
  const at = digits.length - exponent
  const fraction = exponent === 0 ? '' : `.${digits.slice(at)}`
  return `${amount < 0n ? '-' : ''}${digits.slice(0, at)}${fraction}`
}

const grouped = (plain: string): string => {
  const [whole, fraction] = plain.split('.')
  const commas = whole!.replace(/\B(?=(\d{3})+$)/g, ',')
  return fraction === undefined ? commas : `${commas}.${fraction}`
}

it('money - every amount is read back exactly, in every currency and notation (seed 4217)', () => {
  const random = createRandom(4217)
  const rows = [...iso4217].filter(([, { exponent }]) => exponent !== null)
  for (let run = 0; run < 4000; run++) {
    const [code, { exponent }] = random.pick(rows)
    const size = 10 ** random.integer(0, 15)
    const amount = random.integer(-size, size)
    const plain = print(BigInt(amount), exponent!)
    const raws: unknown[] = [
      ...[plain, `${plain}00`.replace(/^([^.]*)$/, '$1.00').slice(0, 99)],
      ...[grouped(plain), `${code} ${plain}`, `${grouped(plain)} ${code}`],
      ...[decimal(BigInt(amount), exponent!), decimal(BigInt(amount) * 1000n, exponent! + 3)],
      { units: BigInt(amount) / 10n ** BigInt(exponent!), nanos: nanosOf(amount, exponent!) },
    ]
    // Amounts of 16 digits may share a double with their neighbours.
    if (Math.abs(amount) < 1e15) raws.push(Number(plain))
    for (const raw of raws.filter((text) => exponent !== 0 || text !== raws[1])) {
      expect(major(raw, code), `${String(raw)} ${code}`).toBe(amount + 0)
    }
    expect(minor(amount)).toBe(amount + 0)
  }
})

const nanosOf = (amount: number, exponent: number): number =>
  Number((BigInt(amount) % 10n ** BigInt(exponent)) * 10n ** BigInt(9 - exponent))
