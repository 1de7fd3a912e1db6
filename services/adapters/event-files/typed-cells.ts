// What the readers of all file formats give: blocks of cells by column, with what a number means.
//
// In: nothing; types only. A cell is null or undefined where it is absent, otherwise text, number,
// boolean, a bigint where no double holds the whole number, bytes, an array or object, or one of
// core/raw-values.ts. Invariants: no cell was rounded on its way here; a time inside an array or
// object is an Instant or a LocalTime.

import type { CellBlock } from './event-block.ts'

export type TypedCells = CellBlock & {
  /** Columns whose numbers are moments in time, in ms since the epoch, by the file's own types. */
  readonly instants?: ReadonlySet<string>
}

/** @param columns top-level names; those that the file lacks are not in the blocks. */
export type CellReader = (
  path: string,
  columns: readonly string[],
) => AsyncGenerator<TypedCells, void, undefined>
