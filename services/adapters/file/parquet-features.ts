// The Parquet file of a replay: ids, times, one float32 column per feature, scores, decisions, labels.
//
// In: rows in batches of any size, vectors row after row. Out: a file with the columns
//
//   transactionId STRING, eventTime TIMESTAMP(ms, UTC), <feature> FLOAT ..., [<score> FLOAT ...,
//   decision STRING,] isFraud BOOLEAN (null where no label is known)
//
// with one score per model.
//
// Refused: a path that cannot be written. Invariants: row groups are of a fixed size, so the bytes do
// not depend on the batches; memory holds one row group; float32 values are written bit for bit.

import { constants, zstdCompressSync } from 'node:zlib'
import { type ColumnSource, fileWriter, ParquetWriter } from 'hyparquet-writer'
import type { Decision } from '../../pipeline/records.ts'

export type FeatureRows = {
  readonly count: number
  readonly transactionIds: readonly string[]
  readonly eventTimesMs: readonly number[]
  /** count x features. */
  readonly vectors: Float32Array
  /** One array per score column, in their order. */
  readonly scores: readonly Float32Array[]
  /** Null where nothing is scored. */
  readonly decisions: readonly Decision[] | null
  readonly isFraud: readonly (boolean | null)[]
}

export type FeatureFile = {
  readonly append: (rows: FeatureRows) => void
  readonly close: () => void
}

/** 30 features make 8 MB of it; large enough to compress well and to read fast. */
const rowGroupSize = 65_536
const zstdLevel = 1

type SchemaElement = ConstructorParameters<typeof ParquetWriter>[0]['schema'][number]

/** A row group being filled. */
type Desk = {
  transactionIds: string[]
  eventTimesMs: bigint[]
  readonly columns: readonly Float32Array<ArrayBuffer>[]
  readonly scores: readonly Float32Array<ArrayBuffer>[]
  decisions: string[]
  isFraud: (boolean | null)[]
  count: number
}

export type FeatureColumns = {
  readonly features: readonly string[]
  /** Empty where nothing is scored; then there is no decision either. */
  readonly scores: readonly string[]
}

export function openFeatureFile(path: string, names: FeatureColumns): FeatureFile {
  const writer = new ParquetWriter({
    writer: fileWriter(path),
    schema: createSchema(names),
    codec: 'ZSTD',
    compressors: {
      ZSTD: (bytes) =>
        zstdCompressSync(bytes, { params: { [constants.ZSTD_c_compressionLevel]: zstdLevel } }),
    },
    statistics: false,
    createdBy: 'weir',
  })
  const desk = createDesk(names)
  const flush = (): void => {
    if (desk.count === 0) return
    writer.write({ columnData: toColumns(desk, names), rowGroupSize })
    desk.transactionIds = []
    desk.eventTimesMs = []
    desk.decisions = []
    desk.isFraud = []
    desk.count = 0
  }
  return {
    append: (rows) => {
      for (let from = 0; from < rows.count; ) {
        const to = Math.min(rows.count, from + rowGroupSize - desk.count)
        lay(desk, rows, from, to)
        from = to
        if (desk.count === rowGroupSize) flush()
      }
    },
    close: () => {
      flush()
      writer.finish()
    },
  }
}

const createDesk = ({ features, scores }: FeatureColumns): Desk => ({
  transactionIds: [],
  eventTimesMs: [],
  columns: features.map(() => new Float32Array(rowGroupSize)),
  scores: scores.map(() => new Float32Array(rowGroupSize)),
  decisions: [],
  isFraud: [],
  count: 0,
})

/** Rows [from, to) onto the desk, turned from rows into columns. */
function lay(desk: Desk, rows: FeatureRows, from: number, to: number): void {
  const { columns, count } = desk
  const features = columns.length
  for (let i = from; i < to; i++) {
    desk.transactionIds.push(rows.transactionIds[i]!)
    desk.eventTimesMs.push(BigInt(rows.eventTimesMs[i]!))
    desk.isFraud.push(rows.isFraud[i]!)
    if (rows.decisions !== null) desk.decisions.push(rows.decisions[i]!)
  }
  for (let f = 0; f < features; f++) {
    const column = columns[f]!
    for (let i = from, at = count; i < to; i++, at++) column[at] = rows.vectors[i * features + f]!
  }
  for (const [s, column] of desk.scores.entries()) {
    column.set(rows.scores[s]!.subarray(from, to), count)
  }
  desk.count += to - from
}

function createSchema({ features, scores }: FeatureColumns): SchemaElement[] {
  const float = (name: string): SchemaElement => ({
    name,
    type: 'FLOAT',
    repetition_type: 'REQUIRED',
  })
  const text = (name: string): SchemaElement => ({
    name,
    type: 'BYTE_ARRAY',
    converted_type: 'UTF8',
    repetition_type: 'REQUIRED',
  })
  const leaves: SchemaElement[] = [
    text('transactionId'),
    {
      name: 'eventTime',
      type: 'INT64',
      converted_type: 'TIMESTAMP_MILLIS',
      repetition_type: 'REQUIRED',
    },
    ...features.map(float),
    ...scores.map(float),
    ...(scores.length > 0 ? [text('decision')] : []),
    { name: 'isFraud', type: 'BOOLEAN', repetition_type: 'OPTIONAL' },
  ]
  return [{ name: 'root', num_children: leaves.length }, ...leaves]
}

function toColumns(desk: Desk, { features, scores }: FeatureColumns): ColumnSource[] {
  const { count } = desk
  const float = (name: string, data: Float32Array<ArrayBuffer>): ColumnSource => ({
    name,
    data: data.subarray(0, count),
    encoding: 'BYTE_STREAM_SPLIT',
  })
  return [
    { name: 'transactionId', data: desk.transactionIds, encoding: 'DELTA_LENGTH_BYTE_ARRAY' },
    { name: 'eventTime', data: desk.eventTimesMs, encoding: 'DELTA_BINARY_PACKED' },
    ...features.map((name, f) => float(name, desk.columns[f]!)),
    ...scores.map((name, s) => float(name, desk.scores[s]!)),
    ...(scores.length > 0 ? [{ name: 'decision', data: desk.decisions }] : []),
    { name: 'isFraud', data: desk.isFraud },
  ]
}
