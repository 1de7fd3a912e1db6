// The rows of a file's blocks, and folders of real data that may not be here.
//
// In: a reader of cells. Out: rows as objects of the columns asked for, with their faults. Data of
// other makers stands beside the repository, in `shared`, and only on some machines.

import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { repositoryFolder } from '../../../dev/stack/repository.ts'
import type { CellReader, TypedCells } from '../../../services/adapters/event-files/typed-cells.ts'

export type ReadRows = {
  readonly rows: readonly Readonly<Record<string, unknown>>[]
  readonly broken: ReadonlyMap<number, string>
  readonly blocks: readonly TypedCells[]
}

export async function readRows(
  read: CellReader,
  path: string,
  columns: readonly string[],
): Promise<ReadRows> {
  const rows: Record<string, unknown>[] = []
  const broken = new Map<number, string>()
  const blocks: TypedCells[] = []
  for await (const block of read(path, columns)) {
    blocks.push(block)
    if (block.firstRow !== rows.length) throw new Error(`firstRow is ${block.firstRow}`)
    for (const [row, fault] of block.broken) broken.set(block.firstRow + row, fault)
    const cells = columns.map((column) => [column, block.cells(column)] as const)
    for (let i = 0; i < block.count; i++) {
      const known = cells.filter(([, values]) => values !== null)
      rows.push(Object.fromEntries(known.map(([column, values]) => [column, values![i]])))
    }
  }
  return { rows, broken, blocks }
}

/** The folder of that name beside the repository or its parent; null where it is not here. */
export function sharedFolder(name: string): string | null {
  const places = ['..', '../..'].map((above) => join(repositoryFolder, above, 'shared', name))
  return places.find((place) => existsSync(place)) ?? null
}

export const dialectFolder = sharedFolder('data/dialects')
export const noDialects = 'shared/data/dialects is not on this machine'
