// The reader of a file, by its name's ending.
//
// In: a path, and how CSV files are written as far as the user says it. Out: a reader of its cells.
// Text may be compressed: .gz and .zst stand behind the ending. Refused with WEIR_FILE_INVALID:
// another ending, with those that are known. Invariant: nothing is opened here.

import { extname } from 'node:path'
import type { CsvDialect } from '../../core/input-mapping.ts'
import { readAvroCells } from './avro-container-cells.ts'
import { readCsvCells } from './csv-cells.ts'
import { readNdjsonCells } from './ndjson-events.ts'
import { compressedEndings } from './open-text.ts'
import { readParquetCells } from './parquet-events.ts'
import { refuseFile } from './refuse-file.ts'
import type { CellReader } from './typed-cells.ts'

type Choice = (dialect: CsvDialect) => CellReader

const readCsv: Choice = (dialect) => (path, columns) => readCsvCells(path, columns, dialect)

const binary: Readonly<Record<string, Choice>> = {
  '.parquet': () => readParquetCells,
  '.avro': () => readAvroCells,
}

const text: Readonly<Record<string, Choice>> = {
  '.csv': readCsv,
  '.tsv': (dialect) => readCsv({ delimiter: '\t', ...dialect }),
  '.ndjson': () => readNdjsonCells,
  '.jsonl': () => readNdjsonCells,
  '.json': () => readNdjsonCells,
}

export function chooseReader(path: string, dialect: CsvDialect = {}): CellReader {
  const ending = extname(path).toLowerCase()
  const isCompressed = compressedEndings.includes(ending)
  const inner = isCompressed ? extname(path.slice(0, -ending.length)).toLowerCase() : ending
  const choice = text[inner] ?? (isCompressed ? undefined : binary[inner])
  if (choice !== undefined) return choice(dialect)
  const texts = `${Object.keys(text).join(', ')} (also with ${compressedEndings.join(' or ')})`
  const known = `${Object.keys(binary).join(', ')}, ${texts}`
  throw refuseFile(path, `expected a name that ends in ${known}`)
}
