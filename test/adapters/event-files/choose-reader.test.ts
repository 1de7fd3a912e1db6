// The reader that a name's ending chooses.

import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { gzipSync, zstdCompressSync } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import { readAvroCells } from '../../../services/adapters/event-files/avro-container-cells.ts'
import { chooseReader } from '../../../services/adapters/event-files/choose-reader.ts'
import { readNdjsonCells } from '../../../services/adapters/event-files/ndjson-events.ts'
import { readParquetCells } from '../../../services/adapters/event-files/parquet-events.ts'
import { temporaryFolder } from '../../support/temporary-folder.ts'
import { readRows } from './read-rows.ts'

describe('choose reader', () => {
  test.each([
    ['part-0.snappy.parquet', readParquetCells],
    ['T.PARQUET', readParquetCells],
    ['t.avro', readAvroCells],
    ['t.ndjson', readNdjsonCells],
    ['t.jsonl.gz', readNdjsonCells],
    ['t.json.zst', readNdjsonCells],
  ])('choose reader - %s', (path, reader) => {
    expect(chooseReader(path)).toBe(reader)
  })

  test('choose reader - CSV with what the user says, TSV with tabs', async () => {
    const folder = temporaryFolder()
    const write = (name: string, content: string | Buffer) => {
      writeFileSync(join(folder, name), content)
      return join(folder, name)
    }
    const expected = [{ b: '2,3' }]
    const tabs = write('t.tsv.gz', gzipSync('a\tb\n1\t2,3\n'))
    expect((await readRows(chooseReader(tabs), tabs, ['b'])).rows).toEqual(expected)
    const stars = write('t.CSV.zst', zstdCompressSync('a*b\n1*2,3\n'))
    const reader = chooseReader(stars, { delimiter: '*' })
    expect((await readRows(reader, stars, ['b'])).rows).toEqual(expected)
  })

  test.each(['t.xlsx', 't', 't.parquet.gz', 't.gz', '.csv', 't.csv.bz2'])(
    'choose reader - refuses %s with the endings that it knows',
    (path) => {
      expect(() => chooseReader(path)).toThrow(
        /WEIR_FILE_INVALID.*\.parquet, \.avro, \.csv, .*\.gz or \.zst/,
      )
    },
  )
})
