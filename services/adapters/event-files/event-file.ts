// A file of events, opened by its name's ending.
//
// In: a path, and what its rows are (row-mappings.ts). Out: its events in the file's order, as
// often
// as asked for; their times alone; its SHA-256. Refused with WEIR_FILE_INVALID: an ending that
// nobody reads, and what the readers refuse.

import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { WeirError } from '../../core/errors.ts'
import { chooseReader } from './choose-reader.ts'
import {
  type CellBlock,
  columnsOf,
  createRowDecoder,
  createTimeDecoder,
  type FileEvent,
  onlyTimes,
  type RowMapping,
} from './event-block.ts'
import type { NamedPath } from './expand-paths.ts'

export type EventFile<T> = {
  readonly path: string
  /** What reports say: its shortest name that no other file of the run has. */
  readonly name: string
  readonly readEvents: () => AsyncGenerator<readonly FileEvent<T>[], void, undefined>
  /** The times of `readEvents`, in the same order. */
  readonly readTimes: () => AsyncGenerator<Float64Array, void, undefined>
  readonly fingerprint: () => Promise<{ readonly sha256: string; readonly bytes: number }>
}

/** Rows handed on at a time, whatever the file's row groups are. */
const blockRowsMax = 4096

/** @param file index of the file among those given. */
export function openEventFile<T>(
  { path, name }: NamedPath,
  rows: RowMapping<T>,
  file: number,
): EventFile<T> {
  const readCells = chooseReader(path, rows.csv)
  const timed = onlyTimes(rows)
  return {
    path,
    name,
    fingerprint: () => fingerprint(path),
    readEvents: async function* () {
      const decode = createRowDecoder(rows, file)
      for await (const block of readCells(path, columnsOf(rows))) {
        for (const part of splitBlock(block)) yield decode(part)
      }
    },
    readTimes: async function* () {
      const decode = createTimeDecoder(timed, file)
      for await (const block of readCells(path, columnsOf(timed))) {
        const timesMs = decode(block)
        if (rows.isDeclared && block.firstRow === 0) demandPlausible(path, timesMs, rows.time)
        yield timesMs
      }
    },
  }
}

/** 1990 and 2100, ms: a history without a time between them is in another unit. */
const plausibleFromMs = 631_152_000_000
const plausibleUntilMs = 4_102_444_800_000

function demandPlausible(path: string, timesMs: Float64Array, field: string): void {
  const known = timesMs.filter((timeMs) => timeMs !== 0)
  const isPlausible = (timeMs: number) => timeMs >= plausibleFromMs && timeMs < plausibleUntilMs
  if (known.length === 0 || known.some(isPlausible)) return
  const year = new Date(known[0]!).getUTCFullYear()
  const detail =
    `${path}: found times of the year ${year}, expected 1990 to 2100: say the unit of ` +
    `${field} in the pipeline file's input section (unit: s, ms, us or ns).`
  throw new WeirError('WEIR_FILE_INVALID', detail)
}

function* splitBlock(block: CellBlock): Generator<CellBlock, void, undefined> {
  for (let from = 0; from < block.count; from += blockRowsMax) {
    const count = Math.min(blockRowsMax, block.count - from)
    yield {
      firstRow: block.firstRow + from,
      count,
      cells: (column) => slice(block.cells(column), from, from + count),
      broken: new Map([...block.broken].map(([row, fault]) => [row - from, fault])),
      ...(block.header === undefined ? {} : { header: block.header }),
      ...(block.instants === undefined ? {} : { instants: block.instants }),
    }
  }
}

const slice = (cells: ArrayLike<unknown> | null, from: number, to: number) =>
  cells === null ? null : (cells as readonly unknown[]).slice(from, to)

async function fingerprint(path: string) {
  const hash = createHash('sha256')
  let bytes = 0
  for await (const chunk of createReadStream(path)) {
    hash.update(chunk as Buffer)
    bytes += (chunk as Buffer).length
  }
  return { sha256: hash.digest('hex'), bytes }
}
