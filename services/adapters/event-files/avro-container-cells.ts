// The cells of an Avro object container file (.avro), block after block.
//
// In: a path and the columns wanted: fields of the file's record. Out: blocks of the file's records
// in their order, with raw values as topics give them (mapping/avro). Refused with
// WEIR_FILE_INVALID: what is no container of records, a codec that is not known, a damaged or cut
// file. Invariants: memory holds one block; a record that cannot be read refuses the file, as
// nobody knows where the next one begins.

import { AvroCursor } from '../../mapping/avro/avro-cursor.ts'
import { parseAvroSchema } from '../../mapping/avro/avro-schema.ts'
import { readerOf } from '../../mapping/avro/avro-values.ts'
import { type AvroBlock, openAvroContainer } from './avro-container.ts'
import { refuseFile } from './refuse-file.ts'
import type { TypedCells } from './typed-cells.ts'

type Row = Readonly<Record<string, unknown>>

export async function* readAvroCells(
  path: string,
  columns: readonly string[],
): AsyncGenerator<TypedCells, void, undefined> {
  try {
    const { schemaText, blocks, close } = await openAvroContainer(path)
    try {
      const node = parseAvroSchema(schemaText, [])
      if (node.kind !== 'record') {
        throw new Error('found a schema that is no record, expected a record per event')
      }
      const read = readerOf(node) as (cursor: AvroCursor) => Row
      const header = node.fields.map(({ name }) => name)
      const known = new Set(columns.filter((column) => header.includes(column)))
      let firstRow = 0
      for await (const block of blocks) {
        const rows = readRecords(read, block)
        const cells = (column: string) =>
          known.has(column) ? rows.map((row) => row[column]) : null
        const count = rows.length
        if (count > 0) yield { firstRow, count, cells, broken: new Map(), header }
        firstRow += count
      }
    } finally {
      await close()
    }
  } catch (cause) {
    throw refuseFile(path, cause, 'an Avro object container file')
  }
}

function readRecords(read: (cursor: AvroCursor) => Row, { count, bytes }: AvroBlock): Row[] {
  const cursor = new AvroCursor(bytes, 0)
  const rows: Row[] = []
  for (let i = 0; i < count; i++) rows.push(read(cursor))
  if (cursor.at !== bytes.length) throw new Error('a block has bytes behind its last record')
  return rows
}
