/**
 * Rows to a file of JSON, one object a line.
 *
 * In: rows, one at a time. Out: the file, complete after `close`. Refused: a path that cannot be
 * written. Invariant: memory holds at most a megabyte of lines.
 */

import { closeSync, openSync, writeSync } from 'node:fs'
import type { RowFile } from './row-file.ts'

const bufferedCharactersMax = 1_048_576

export function openNdjsonFile(path: string): RowFile {
  const file = openSync(path, 'w')
  let lines = ''
  const flush = () => {
    const bytes = Buffer.from(lines)
    lines = ''
    for (let written = 0; written < bytes.length; ) written += writeSync(file, bytes, written)
  }
  return {
    write: (row) => {
      lines += `${JSON.stringify(row)}\n`
      if (lines.length > bufferedCharactersMax) flush()
    },
    close: () => {
      flush()
      closeSync(file)
    },
  }
}
