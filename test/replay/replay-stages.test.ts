// The stages of a replay leave the process its turns: a timer, a lease or Ctrl-C is not kept
// waiting until a thousand batches are through.

import { join } from 'node:path'
import { expect, test } from 'vitest'
import { temporaryFolder } from '../support/temporary-folder.ts'
import { replaySmall, smallHistory } from './replay-world.ts'

test.each([true, false])(
  'replay stages - hear of the end while batches follow each other (scoring: %s)',
  async (isScoring) => {
    const history = smallHistory(51, 40)
    const stop = new AbortController()
    let batchesAfter = 0
    let isAsked = false
    const run = replaySmall(history, {
      isScoring,
      outFolder: join(temporaryFolder(), 'run'),
      batchEvents: 5,
      signal: stop.signal,
      onProgress: () => {
        if (isAsked) batchesAfter++
        else setTimeout(() => stop.abort(new Error('enough')), 0)
        isAsked = true
      },
    })
    await expect(run).rejects.toThrow('enough')
    expect(batchesAfter).toBeLessThan(history.transactions.length / 5 / 2)
  },
)
