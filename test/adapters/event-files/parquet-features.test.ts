// The Parquet file of a replay: every bit of a float32, and bytes that do not depend on how the
// rows were handed in, across the border of a row group.

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { asyncBufferFromFile, parquetMetadataAsync, parquetReadObjects } from 'hyparquet'
import { compressors } from 'hyparquet-compressors'
import { describe, expect, test } from 'vitest'
import { openFeatureFile } from '../../../services/adapters/event-files/parquet-features.ts'
import { decisions } from '../../../services/pipeline/records.ts'
import { temporaryFolder } from '../../support/temporary-folder.ts'

const features = ['first', 'second']
const scoreNames = ['score', 'score_2']
const specials = [0, -0, 1e-45, 3.4028234663852886e38, Number.POSITIVE_INFINITY, Number.NaN, 0.1]

function rowsFrom(from: number, count: number, scores: readonly string[]) {
  const indexes = Array.from({ length: count }, (_, i) => from + i)
  return {
    count,
    transactionIds: indexes.map((i) => `t${i}`),
    eventTimesMs: indexes.map((i) => 1_700_000_000_000 + i * 977),
    vectors: Float32Array.from(indexes.flatMap((i) => [specials[i % specials.length]!, i])),
    scores: scores.map((_, s) => Float32Array.from(indexes, (i) => (i % 1000) / (1000 + s))),
    decisions: scores.length > 0 ? indexes.map((i) => decisions[i % 3]!) : null,
    isFraud: indexes.map((i) => [true, false, null][i % 3]!),
  }
}

async function write(rowCount: number, stepRows: number, scores: readonly string[]) {
  const path = join(temporaryFolder(), 'rows.parquet')
  const file = openFeatureFile(path, { features, scores })
  for (let from = 0; from < rowCount; from += stepRows) {
    await file.append(rowsFrom(from, Math.min(stepRows, rowCount - from), scores))
  }
  await file.close()
  return path
}

describe('feature file', () => {
  test('feature file - keeps every bit, every time and every verdict', async () => {
    const path = await write(50, 50, scoreNames)
    const rows = await parquetReadObjects({ file: await asyncBufferFromFile(path), compressors })
    const given = rowsFrom(0, 50, scoreNames)
    rows.forEach((row, i) => {
      expect(Object.is(row.first, given.vectors[i * 2])).toBe(true)
      expect(row).toMatchObject({
        transactionId: given.transactionIds[i],
        eventTime: new Date(given.eventTimesMs[i]!),
        second: i,
        score: given.scores[0]![i],
        score_2: given.scores[1]![i],
        decision: given.decisions![i],
      })
      expect(row.isFraud ?? null).toBe(given.isFraud[i])
    })
    expect(rows).toHaveLength(50)
  })

  test('feature file - has the same bytes whatever the batches, in groups of 65,536', async () => {
    const rowCount = 70_000
    const whole = await write(rowCount, rowCount, [])
    const parts = await write(rowCount, 999, [])
    expect(readFileSync(parts).equals(readFileSync(whole))).toBe(true)
    const { row_groups, schema } = await parquetMetadataAsync(await asyncBufferFromFile(whole))
    expect(row_groups.map(({ num_rows }) => Number(num_rows))).toEqual([65_536, 4_464])
    expect(schema.slice(1).map(({ name }) => name)).toEqual([
      'transactionId',
      'eventTime',
      ...features,
      'isFraud',
    ])
  })

  test('feature file - is a file without rows where nothing was appended', async () => {
    const path = await write(0, 1, [])
    const rows = await parquetReadObjects({ file: await asyncBufferFromFile(path), compressors })
    expect(rows).toEqual([])
  })

  test('feature file - says so when its path cannot be written', async () => {
    const path = join(temporaryFolder(), 'no', 'such', 'folder', 'rows.parquet')
    const file = openFeatureFile(path, { features, scores: [] })
    const writeAll = async () => {
      await file.append(rowsFrom(0, 70_000, []))
      await file.close()
    }
    await expect(writeAll()).rejects.toThrow(/no such file/)
    await expect(file.close()).rejects.toThrow(/no such file/)
  })
})
