// The thread that writes the Parquet file of a replay, while the main thread computes the next
// rows.
//
// In: ThreadStart as worker data, then row groups, at last `finish`. Out: the file; an empty answer
// to each message, when it is done. Refused: a path that cannot be written, which ends the thread
// with the error. Invariant: one message makes one row group, in the order in which they came.

import { parentPort, workerData } from 'node:worker_threads'
import { constants, zstdCompressSync } from 'node:zlib'
import { type ColumnSource, fileWriter, ParquetWriter } from 'hyparquet-writer'
import { decisions } from '../../pipeline/records.ts'
import {
  type FeatureColumns,
  type RowGroup,
  rowGroupSize,
  type ThreadStart,
  UNKNOWN,
} from './parquet-messages.ts'

const port = parentPort!
const { path, names } = workerData as ThreadStart
const zstdLevel = 1

type SchemaElement = ConstructorParameters<typeof ParquetWriter>[0]['schema'][number]

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

port.on('message', (message: RowGroup | 'finish') => {
  if (message === 'finish') writer.finish()
  else writer.write({ columnData: toColumns(message, names), rowGroupSize })
  port.postMessage(null)
})

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

function toColumns(group: RowGroup, { features, scores }: FeatureColumns): ColumnSource[] {
  const { count } = group
  const float = (name: string, data: Float32Array<ArrayBuffer>): ColumnSource => ({
    name,
    data: data.subarray(0, count),
    encoding: 'BYTE_STREAM_SPLIT',
  })
  const eventTimesMs = Array.from(group.eventTimesMs.subarray(0, count))
  const decided = Array.from(group.decisions.subarray(0, count), (index) => decisions[index]!)
  const verdicts = Array.from(group.isFraud.subarray(0, count), toVerdict)
  return [
    { name: 'transactionId', data: group.transactionIds, encoding: 'DELTA_LENGTH_BYTE_ARRAY' },
    { name: 'eventTime', data: eventTimesMs, encoding: 'DELTA_BINARY_PACKED' },
    ...features.map((name, f) => float(name, group.features[f]!)),
    ...scores.map((name, s) => float(name, group.scores[s]!)),
    ...(scores.length > 0 ? [{ name: 'decision', data: decided }] : []),
    { name: 'isFraud', data: verdicts },
  ]
}

const toVerdict = (isFraud: number): boolean | null => (isFraud === UNKNOWN ? null : isFraud === 1)
