// The knobs: checked together, before anything is made.

import { describe, expect, it } from 'vitest'
import { resolveOptions, settingNames } from '../../../load/generator/options.ts'

describe('options', () => {
  it('options - fills in what is not given and freezes it', () => {
    const options = resolveOptions({ seed: 9 })
    expect(options.seed).toBe(9)
    expect(Object.keys(options).sort()).toEqual([...settingNames].sort())
    expect(Object.isFrozen(options)).toBe(true)
  })

  it('options - reports all faults at once, with what was found and expected', () => {
    const given = { customers: 0, fraudShare: 2, seed: 1.5, days: Number.NaN, colour: 3 }
    expect(() => resolveOptions(given)).toThrow(
      /seed is 1.5, expected a whole number; customers is 0, .*fraudShare is 2, .*days is NaN, .*colour is not a setting/,
    )
  })
})
