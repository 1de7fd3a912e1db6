// A producer that gives up is followed by another; nothing is left out.

import { describe, expect, it } from 'vitest'
import { openLastingSink } from '../../../load/chaos/lasting-sink.ts'
import type { DueMessage } from '../../../load/generator/schedule.ts'

const batchOf = (key: string): DueMessage[] => [
  { kind: 'transaction', key: Buffer.from(key), value: null, timeMs: 0, dueMs: 0 } as never,
]

/** Sinks of which each fails on the sends that it is told to. */
function sinksThatFail(failures: readonly (readonly number[])[]) {
  const sent: string[] = []
  const closed: number[] = []
  let opened = 0
  const connect = async () => {
    const own = opened++
    let sends = 0
    return {
      send: async ([first]: readonly DueMessage[]) => {
        if (failures[own]?.includes(sends++)) throw new Error(`sink ${own} gave up`)
        sent.push(`${own}:${first!.key}`)
      },
      close: async () => void closed.push(own),
    }
  }
  return { connect, sent, closed, opened: () => opened }
}

describe('lasting sink', () => {
  it('sends through one producer as long as that works', async () => {
    const { connect, sent, opened } = sinksThatFail([])
    const sink = await openLastingSink(connect)
    await sink.send(batchOf('a'))
    await sink.send(batchOf('b'))
    expect(sent).toEqual(['0:a', '0:b'])
    expect(opened()).toBe(1)
  })

  it('sends what failed once more through the next, in order, and closes the one that failed', async () => {
    const { connect, sent, closed } = sinksThatFail([[1], [0]])
    const sink = await openLastingSink(connect)
    for (const key of ['a', 'b', 'c']) await sink.send(batchOf(key))
    expect(sent).toEqual(['0:a', '2:b', '2:c'])
    expect(closed).toEqual([0, 1])
    await sink.close()
    expect(closed).toEqual([0, 1, 2])
  })

  it('gives up with the last error, and goes on with the next batch', async () => {
    const { connect, sent } = sinksThatFail([[0], [0], []])
    const sink = await openLastingSink(connect, 2)
    await expect(sink.send(batchOf('a'))).rejects.toThrow('sink 1 gave up')
    await sink.send(batchOf('b'))
    expect(sent).toEqual(['2:b'])
  })
})
