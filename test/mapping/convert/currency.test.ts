// Currencies: the table against another one, and every way in which a code may come.

import { describe, expect, it } from 'vitest'
import { ExactDecimal } from '../../../services/core/raw-values.ts'
import { createConverter } from '../../../services/mapping/convert/create-converter.ts'
import { iso4217 } from '../../../services/mapping/iso-4217.ts'

const { convert } = createConverter({ kind: 'currency' })

describe('the list of currencies', () => {
  it('has each code and each number once', () => {
    expect(iso4217.size).toBe(188)
    // ANG handed its number on to XCG.
    expect(new Set([...iso4217.values()].map(({ numeric }) => numeric)).size).toBe(187)
    for (const [code, { numeric }] of iso4217) {
      expect(code).toMatch(/^[A-Z]{3}$/)
      expect(numeric).toMatch(/^\d{3}$/)
    }
  })

  it('keeps what was withdrawn lately, for history, and nothing that went long ago', () => {
    const withdrawn = 'ANG BGN BYR CUC HRK MRO SLL STD VEF ZWL'.split(' ')
    expect(withdrawn.filter((code) => !iso4217.has(code))).toEqual([])
    expect(['DEM', 'FRF', 'EURO', ''].filter((code) => iso4217.has(code))).toEqual([])
  })

  it('is known to Intl, but for what is no money of a country, or is too young', () => {
    const known = new Set(Intl.supportedValuesOf('currency'))
    const unknown = [...iso4217.keys()].filter((code) => !known.has(code))
    expect(unknown.filter((code) => !unknownToIntl.includes(code))).toEqual([])
  })

  it.each([
    ['EUR', '978', 2],
    ['JPY', '392', 0],
    ['KRW', '410', 0],
    ['ISK', '352', 0],
    ['CLP', '152', 0],
    ['VND', '704', 0],
    ['HUF', '348', 2],
    ['TWD', '901', 2],
    ['MRU', '929', 2],
    ['MGA', '969', 2],
    ['KWD', '414', 3],
    ['BHD', '048', 3],
    ['IQD', '368', 3],
    ['CLF', '990', 4],
    ['UYW', '927', 4],
    ['UYI', '940', 0],
    ['VED', '926', 2],
    ['XCG', '532', 2],
    ['XAD', '396', 2],
    ['XAU', '959', null],
    ['XXX', '999', null],
  ])('%s is %s with %o decimals', (code, numeric, exponent) => {
    expect(iso4217.get(code)).toEqual({ numeric, exponent })
  })
})

/** Funds and units of account, the young ones, bonds and metals, testing, no currency. */
const unknownToIntl = (
  'BOV BYR CHE CHW CLF COU MRO MXV STD USN UYI UYW VED VEF XAD XCG ' +
  'XAG XAU XBA XBB XBC XBD XDR XPD XPT XSU XTS XUA XXX'
).split(' ')

describe('currency', () => {
  it.each([
    ['EUR', 'EUR'],
    ['eur', 'EUR'],
    ['Eur', 'EUR'],
    [' usd ', 'USD'],
    ['978', 'EUR'],
    ['036', 'AUD'],
    ['36', 'AUD'],
    ['8', 'ALL'],
    [36, 'AUD'],
    [978, 'EUR'],
    [978n, 'EUR'],
    [new ExactDecimal(9780n, 1), 'EUR'],
    ['', null],
    [' ', null],
    [Number.NaN, null],
    [null, null],
    [undefined, null],
  ])('takes %o as %o', (raw, expected) => {
    expect(convert(raw)).toBe(expected)
  })

  it.each([
    ...['EURO', 'EU', '€', 'DEM', 'FRF', 'ZZZ', '000', '0978', '978.0', '-978', 'ınr'],
    ...[0, -978, 978.5, 1e9, 10n ** 30n, true, {}, ['EUR'], Buffer.from('EUR'), new Date(0)],
    new ExactDecimal(9785n, 1),
  ])('refuses %o', (raw) => {
    expect(convert(raw)).toBeUndefined()
  })

  it('takes every code of the list, by letters and by number', () => {
    for (const [code, { numeric }] of iso4217) {
      // Its number went on to XCG.
      if (code === 'ANG') continue
      const raws = [code, code.toLowerCase(), numeric, Number(numeric), String(Number(numeric))]
      expect(raws.map((raw) => convert(raw))).toEqual(raws.map(() => code))
    }
  })
})
