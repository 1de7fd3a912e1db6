// rejected.ndjson: one line per row of a file that never became an event, and the counts by code.
//
// In: refused rows. Out: {stream, file, row, room, code, detail} a line, rows numbered from 1, files
// by name. Invariants: no card data, the place says where the original is; lines stand in the order in
// which the rows were refused, which does not depend on the batches.

import { closeSync, openSync, writeSync } from 'node:fs'
import type { RejectionCode } from '../core/errors.ts'
import type { Refused } from './replay-batches.ts'

export type RejectionFile = {
  readonly add: (refused: Refused) => void
  readonly close: () => void
  readonly counts: () => Readonly<Record<Refused['stream'], number>>
  readonly countsByCode: () => Readonly<Partial<Record<RejectionCode, number>>>
}

const bufferedLinesMax = 1000

/** @param names the files' names by stream, in the order given. */
export function openRejectionFile(
  path: string,
  names: Readonly<Record<Refused['stream'], readonly string[]>>,
): RejectionFile {
  const file = openSync(path, 'w')
  const counts = { transactions: 0, labels: 0 }
  const byCode = new Map<RejectionCode, number>()
  let lines: string[] = []
  const flush = (): void => {
    if (lines.length > 0) writeSync(file, `${lines.join('\n')}\n`)
    lines = []
  }
  return {
    add: ({ stream, file: index, row, rejection }) => {
      const { room, code, detail } = rejection
      counts[stream]++
      byCode.set(code, (byCode.get(code) ?? 0) + 1)
      const place = { stream, file: names[stream][index], row: row + 1 }
      lines.push(JSON.stringify({ ...place, room, code, detail }))
      if (lines.length >= bufferedLinesMax) flush()
    },
    close: () => {
      flush()
      closeSync(file)
    },
    counts: () => ({ ...counts }),
    countsByCode: () => Object.fromEntries([...byCode].sort(([a], [b]) => (a < b ? -1 : 1))),
  }
}
