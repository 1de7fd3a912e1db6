// rejected.ndjson: one line per event that gets no row, and the counts by code.
//
// In: refused events. Out: {stream, <place>, stage, code, detail} a line; the place is file and
// row, or topic, partition and offset. Invariants: no card data, the place says where the original
// is; lines stand in the order in which the events were refused, which does not depend on the
// batches.

import { closeSync, openSync, writeSync } from 'node:fs'
import type { RejectionCode } from '../core/errors.ts'
import type { Refused } from './replay-source.ts'

export type RejectionFile = {
  readonly add: (refused: Refused) => void
  readonly close: () => void
  readonly counts: () => Readonly<Record<Refused['stream'], number>>
  /** What `where` did not pick, and labels without a verdict: they have no line. */
  readonly skipped: () => Readonly<Record<Refused['stream'], number>>
  readonly countsByCode: () => Readonly<Partial<Record<RejectionCode, number>>>
}

const bufferedLinesMax = 1000

export function openRejectionFile(path: string): RejectionFile {
  const file = openSync(path, 'w')
  const counts = { transactions: 0, labels: 0 }
  const skipped = { transactions: 0, labels: 0 }
  const byCode = new Map<RejectionCode, number>()
  let lines: string[] = []
  const flush = (): void => {
    if (lines.length > 0) writeSync(file, `${lines.join('\n')}\n`)
    lines = []
  }
  return {
    add: ({ stream, place, rejection }) => {
      const { stage, code, detail } = rejection
      if (code === 'WEIR_DECODE_SKIPPED') {
        skipped[stream]++
        return
      }
      counts[stream]++
      byCode.set(code, (byCode.get(code) ?? 0) + 1)
      lines.push(JSON.stringify({ stream, ...place, stage, code, detail }))
      if (lines.length >= bufferedLinesMax) flush()
    },
    close: () => {
      flush()
      closeSync(file)
    },
    counts: () => ({ ...counts }),
    skipped: () => ({ ...skipped }),
    countsByCode: () => Object.fromEntries([...byCode].sort(([a], [b]) => (a < b ? -1 : 1))),
  }
}
