// The table of verdicts against a plain map.

import { describe, expect, test } from 'vitest'
import { createVerdictTable } from '../../services/replay/verdict-table.ts'
import { createRandom } from '../support/random.ts'

describe('verdict table', () => {
  test('verdict table - holds the latest verdict on thousands of transactions', () => {
    const random = createRandom(9)
    const table = createVerdictTable()
    const expected = new Map<string, { isFraud: boolean; timeMs: number }>()
    for (let i = 0; i < 20_000; i++) {
      const id = `t${random.integer(0, 9_000)}`
      const isFraud = random.integer(0, 1) === 1
      const timeMs = random.integer(0, 1_000_000)
      table.add(id, isFraud, timeMs)
      const before = expected.get(id)
      if (before === undefined || before.timeMs <= timeMs) expected.set(id, { isFraud, timeMs })
    }
    for (const [id, { isFraud }] of expected) expect(table.find(id)).toBe(isFraud)
    const fraud = [...expected.values()].filter(({ isFraud }) => isFraud).length
    expect(table.counts()).toEqual({ fraud, genuine: expected.size - fraud })
    expect(table.find('t-unknown')).toBeNull()
  })
})
