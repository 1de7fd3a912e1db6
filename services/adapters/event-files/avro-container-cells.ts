// The cells of an Avro object container file (.avro), block after block.
//
// In: a path and the columns wanted: fields of the file's record. Out: blocks of the file's records
// in their order: raw values as avro-file-types.ts reads them; timestamps of a field as ms, named
// as `instants`. Refused with WEIR_FILE_INVALID: what is no container of records, a codec that is
// not known, a damaged or cut file. Invariants: memory holds one block; a record that cannot be
// read refuses the file, as nobody knows where the next one begins.

import { Instant } from '../../core/raw-values.ts'
import { type AvroBlock, openAvroContainer } from './avro-container.ts'
import { createRecordReader, isInstantField, type ReadRecord } from './avro-file-types.ts'
import { type NormalRecord, normalizeSchema } from './avro-schema-text.ts'
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
      const schema = normalizeSchema(schemaText)
      const readRecord = createRecordReader(schema)
      const instants = instantsOf(schema, columns)
      const known = new Set(schema.fields.map(({ name }) => name))
      let firstRow = 0
      for await (const block of blocks) {
        const rows = readRecords(readRecord, block)
        const cells = (column: string) =>
          known.has(column) ? cellsOf(rows, column, instants.has(column)) : null
        const count = rows.length
        if (count > 0) yield { firstRow, count, cells, broken: new Map(), instants }
        firstRow += count
      }
    } finally {
      await close()
    }
  } catch (cause) {
    throw refuseFile(path, cause, 'an Avro object container file')
  }
}

const instantsOf = ({ fields }: NormalRecord, columns: readonly string[]): ReadonlySet<string> =>
  new Set(
    fields
      .filter(({ name, type }) => columns.includes(name) && isInstantField(type))
      .map(({ name }) => name),
  )

function readRecords(readRecord: ReadRecord, { count, bytes }: AvroBlock): Row[] {
  const rows: Row[] = []
  let at = 0
  for (let i = 0; i < count; i++) {
    const { value, end } = readRecord(bytes, at)
    if (end < 0) throw new Error('a record ends behind its block')
    rows.push(value)
    at = end
  }
  if (at !== bytes.length) throw new Error('a block has bytes behind its last record')
  return rows
}

const cellsOf = (rows: readonly Row[], column: string, isInstant: boolean): unknown[] =>
  rows.map((row) => {
    const cell = row[column]
    return isInstant && cell instanceof Instant ? cell.ms : cell
  })
