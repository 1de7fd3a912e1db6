// The memory store under the contract of all log stores, and what its retention lets go.

import { expect, test } from 'vitest'
import { createMemoryLogStore } from '../../../services/adapters/memory/memory-log-store.ts'
import { foldWhenWorthwhile } from '../../../services/pipeline/enrich/fold-log.ts'
import { describeLogStore } from '../../contract/log-store-contract.ts'
import { requestOf, testKinds } from '../../support/log-requests.ts'

describeLogStore('memory store', () => {
  const store = createMemoryLogStore(testKinds)
  return { open: async () => store }
})

test.each([1, 4])(
  'memory store - a log that met nothing for the retention begins anew, batches of %i',
  async (batchEvents) => {
    const store = createMemoryLogStore(testKinds, foldWhenWorthwhile, 100)
    const { epoch } = await store.claim(0)
    // `kept` meets an event just within the retention, `gone` one just beyond it.
    const entries = [
      { offset: 0, key: 'kept', timeMs: 0 },
      { offset: 1, key: 'gone', timeMs: 0 },
      { offset: 2, key: 'kept', timeMs: 100 },
      { offset: 3, key: 'gone', timeMs: 101 },
    ]
    const positions: number[] = []
    for (let i = 0; i < entries.length; i += batchEvents) {
      const request = requestOf([{ laneId: 0, epoch }], entries.slice(i, i + batchEvents))
      positions.push(...(await store.advance(request)).positions)
    }
    expect(positions).toEqual([0, 0, 1, 0])
  },
)
