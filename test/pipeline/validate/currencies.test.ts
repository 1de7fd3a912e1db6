import { expect, it } from 'vitest'
import { hashToInteger } from '../../../services/core/hash.ts'
import { currencies } from '../../../services/pipeline/validate/currencies.ts'

it('currencies - are those of ISO 4217, whatever the ICU of this Node says', () => {
  for (const code of ['EUR', 'JPY', 'VED', 'XAD', 'CLF', 'UYW', 'CHE', 'XCG', 'ZWG', 'XSU']) {
    expect(currencies.has(code), code).toBe(true)
  }
  // History has them; what went long ago is a mistake by now.
  for (const code of ['HRK', 'ANG', 'BGN']) expect(currencies.has(code), code).toBe(true)
  for (const code of ['DEM', 'FRF', 'eur', 'EURO', '', '978']) {
    expect(currencies.has(code), code).toBe(false)
  }
})

it('currencies - change by a change of the table alone', () => {
  expect(currencies.size).toBe(188)
  expect([...currencies].every((code) => /^[A-Z]{3}$/.test(code))).toBe(true)
  expect(hashToInteger([...currencies].sort().join(' '))).toMatchInlineSnapshot(`2976519400448297`)
})
