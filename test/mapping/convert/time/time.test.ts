// Times: counts in units and steps, and what each format makes of each kind of raw value.

import { describe, expect, it } from 'vitest'
import type { TimeFormat } from '../../../../services/core/input-mapping.ts'
import { ExactDecimal, LocalTime } from '../../../../services/core/raw-values.ts'
import { createConverter } from '../../../../services/mapping/convert/create-converter.ts'
import { createRandom } from '../../../support/random.ts'

const convertAs = (format: TimeFormat) => createConverter({ kind: 'time', ...format }).convert
const decimal = (unscaled: bigint, scale: number) => new ExactDecimal(unscaled, scale)

describe('epoch', () => {
  it.each<['s' | 'ms' | 'us' | 'ns', unknown, number]>([
    ['s', 1_704_110_400, 1_704_110_400_000],
    ['s', 1_704_110_400.25, 1_704_110_400_250],
    ['s', 1_704_110_400.123, 1_704_110_400_123],
    ['s', 1_704_110_400.123456, 1_704_110_400_123],
    ['s', 0.0019, 1],
    ['s', -0.0001, -1],
    ['s', -1.5, -1500],
    ['s', 1_704_110_400n, 1_704_110_400_000],
    ['s', '1704110400', 1_704_110_400_000],
    ['s', '1704110400.123999', 1_704_110_400_123],
    ['s', '-0.0001', -1],
    ['s', '1.7041104E9', 1_704_110_400_000],
    ['s', ' 1704110400 ', 1_704_110_400_000],
    ['s', decimal(1_704_110_400_123_999n, 6), 1_704_110_400_123],
    ['ms', 1_704_110_400_123, 1_704_110_400_123],
    ['ms', 1_704_110_400_123.9, 1_704_110_400_123],
    ['ms', -1, -1],
    ['ms', -0, 0],
    ['ms', -0.5, -1],
    ['ms', '1704110400123', 1_704_110_400_123],
    ['ms', 1_704_110_400_123n, 1_704_110_400_123],
    ['us', 1_704_110_400_123_999, 1_704_110_400_123],
    ['us', '1704110400123999', 1_704_110_400_123],
    ['us', -1, -1],
    ['us', -1000, -1],
    ['us', -1001n, -2],
    ['us', 0, 0],
    ['ns', 1_704_110_400_123_000_000, 1_704_110_400_123],
    ['ns', 1_704_110_400_122_999_999n, 1_704_110_400_122],
    ['ns', '1704110400122999999', 1_704_110_400_122],
    ['ns', '1704110400123000000', 1_704_110_400_123],
    ['ns', -1n, -1],
    ['ns', -1_000_000n, -1],
    ['ns', -1_000_001n, -2],
  ])('%s: %o is %o', (unit, raw, expected) => {
    expect(convertAs({ format: 'epoch', unit })(raw)).toBe(expected)
  })

  it.each([
    ...[Infinity, 1e300, 10n ** 40n, '1e20', true, {}, [], Buffer.from('1'), 'now', '0x10', '1,5'],
    ...['2026-01-31', new LocalTime('2026-01-31'), decimal(1n, -30), new Date(Number.NaN)],
  ])('refuses %o', (raw) => {
    expect(convertAs({ format: 'epoch', unit: 's' })(raw)).toBeUndefined()
  })

  it('has the same ms in every unit and kind of number (seed 1970)', () => {
    const random = createRandom(1970)
    const [s, ms, us, ns] = (['s', 'ms', 'us', 'ns'] as const).map((unit) =>
      convertAs({ format: 'epoch', unit }),
    )
    for (let run = 0; run < 10_000; run++) {
      const at = random.integer(-2_000_000_000_000, 4_102_444_800_000)
      const finer = random.integer(0, 999)
      const micros = BigInt(at) * 1000n + BigInt(finer)
      const answers = [
        ...[s!(at / 1000), s!(decimal(BigInt(at), 3)), s!(decimal(micros, 6))],
        ...[ms!(at), ms!(String(at)), ms!(BigInt(at)), ms!(decimal(micros, 3))],
        ...[us!(Number(micros)), us!(micros), us!(String(micros)), us!(at * 1000)],
        ...[ns!(micros * 1000n + 999n), ns!(String(micros * 1000n)), ns!(at * 1e6)],
      ]
      expect(new Set(answers), `${at} and ${finer} us`).toEqual(new Set([at]))
    }
  })
})

describe('step', () => {
  const hours = convertAs({ format: 'step', stepMs: 3_600_000, originMs: 1_000 })

  it.each([
    [0, 1000],
    [2, 7_201_000],
    ['2', 7_201_000],
    [2n, 7_201_000],
    [0.5, 1_801_000],
    ['0.5', 1_801_000],
    [-1, -3_599_000],
    [decimal(20n, 1), 7_201_000],
    [0.0000001, 1000],
  ])('%o is %o', (raw, expected) => {
    expect(hours(raw)).toBe(expected)
  })

  it.each([Infinity, 1e12, 'two', true, {}, new LocalTime('2026-01-31')])('refuses %o', (raw) => {
    expect(hours(raw)).toBeUndefined()
  })
})

const formats: readonly TimeFormat[] = [
  { format: 'iso', zone: null },
  { format: 'iso', zone: 'Europe/Berlin' },
  { format: 'epoch', unit: 'ns' },
  { format: 'pattern', pattern: 'dd/MM/yyyy', zone: null },
  { format: 'pattern', pattern: 'dd/MM/yyyy', zone: 'Europe/Berlin' },
  { format: 'step', stepMs: 1000, originMs: 5 },
]

describe.each(formats)('time as $format, zone $zone', (format) => {
  const convert = convertAs(format)

  it('takes an instant as it is, and nothing as absent', () => {
    expect(convert(new Date(1_704_110_400_123))).toBe(1_704_110_400_123)
    expect(convert(new Date(Number.NaN))).toBeUndefined()
    const absent = [null, undefined, '', '  ', 'NaN', Number.NaN]
    expect(absent.map((raw) => convert(raw))).toEqual(absent.map(() => null))
  })

  it('takes local times where a zone is declared', () => {
    const hasZone = 'zone' in format && format.zone !== null
    const expected = hasZone ? Date.parse('2026-07-01T06:00:00Z') : undefined
    expect(convert(new LocalTime('2026-07-01T08:00:00'))).toBe(expected)
    expect(convert(new LocalTime('2026-07-01T08:00:00Z'))).toBeUndefined()
    expect(convert(new LocalTime('1 July'))).toBeUndefined()
    const day = hasZone ? Date.parse('2026-06-30T22:00:00Z') : undefined
    expect(convert(new LocalTime('2026-07-01'))).toBe(day)
  })

  it('refuses what is no time', () => {
    for (const raw of [true, {}, [], Buffer.from('1'), Symbol('1')]) {
      expect(convert(raw)).toBeUndefined()
    }
  })
})

it('iso - refuses numbers, however plausible', () => {
  const convert = convertAs({ format: 'iso', zone: 'UTC' })
  expect([1_704_110_400, 1_704_110_400n, 2026].map((raw) => convert(raw))).toEqual([
    ...[undefined, undefined, undefined],
  ])
})

it('pattern - takes the year from the reference that comes with the event', () => {
  const convert = convertAs({ format: 'pattern', pattern: 'MMddHHmmss', zone: 'UTC' })
  const reference = Date.parse('2026-01-01T00:00:00Z')
  expect(convert('1231235959', null, reference)).toBe(Date.parse('2025-12-31T23:59:59Z'))
  expect(convert('1231235959')).toBeUndefined()
})
