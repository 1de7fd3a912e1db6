// Files of transactions and labels: what the pipeline's column map and the files' types become.

import { writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { parquetWriteFile } from 'hyparquet-writer'
import { describe, expect, test } from 'vitest'
import type { FileEvent } from '../../../services/adapters/event-files/event-block.ts'
import { type EventFile, openEventFile } from '../../../services/adapters/event-files/event-file.ts'
import { labelRows, transactionRows } from '../../../services/adapters/event-files/row-mappings.ts'
import { WeirError } from '../../../services/core/errors.ts'
import { transactionOf } from '../../support/batches.ts'
import { cardInput, mappedInput } from '../../support/shipped-input.ts'
import { temporaryFolder } from '../../support/temporary-folder.ts'

async function readAll<T>(file: EventFile<T>): Promise<readonly FileEvent<T>[]> {
  const all: FileEvent<T>[] = []
  for await (const events of file.readEvents()) all.push(...events)
  return all
}

async function readTimes(file: EventFile<unknown>): Promise<readonly number[]> {
  const all: number[] = []
  for await (const times of file.readTimes()) all.push(...times)
  return all
}

const timesMs = [1_700_000_000_123, 1_700_000_001_000]
const foreign = mappedInput({
  transactions: {
    transactionId: 'tx',
    eventTime: 'at',
    card: { path: 'card', required: true },
    shop: 'shop',
    paid: { path: 'cents', currency: 'money' },
    money: { type: 'currency' },
  },
})
const openTransactionFile = (path: string, input = cardInput, file = 0) =>
  openEventFile({ path, name: basename(path) }, transactionRows(input), file)
const openLabelFile = (path: string) =>
  openEventFile({ path, name: basename(path) }, labelRows(cardInput), 0)

function writeForeignParquet(): string {
  const path = join(temporaryFolder(), 'foreign.parquet')
  parquetWriteFile({
    filename: path,
    columnData: [
      { name: 'tx', data: [7n, 8n], type: 'INT64' },
      { name: 'at', data: timesMs.map((ms) => new Date(ms)), type: 'TIMESTAMP' },
      { name: 'card', data: [1, 2], type: 'INT32' },
      { name: 'shop', data: ['a', 'b'], type: 'STRING' },
      { name: 'cents', data: [100, 250], type: 'INT32' },
      { name: 'money', data: ['EUR', 'EUR'], type: 'STRING' },
    ],
  })
  return path
}

describe('event file', () => {
  test('event file - reads a Parquet file with other names and integer ids', async () => {
    const events = await readAll(openTransactionFile(writeForeignParquet(), foreign, 3))
    expect(events[0]).toEqual({
      timeMs: timesMs[0],
      file: 3,
      row: 0,
      value: {
        ...{ transactionId: '7', eventTime: timesMs[0] },
        ...{ card: '1', shop: 'a', paid: 100, money: 'EUR' },
      },
      fault: null,
    })
    expect(events[1]).toMatchObject({ row: 1, value: { transactionId: '8', paid: 250 } })
  })

  test('event file - gives the same times with and without the other columns', async () => {
    const file = openTransactionFile(writeForeignParquet(), foreign)
    expect(await readTimes(file)).toEqual((await readAll(file)).map(({ timeMs }) => timeMs))
  })

  test('event file - names the column that is missing and where to say its name', async () => {
    const file = openTransactionFile(writeForeignParquet())
    await expect(readAll(file)).rejects.toThrow(
      /WEIR_FILE_INVALID.*found no column "transactionId" among tx, at, .*\(fields\)/,
    )
  })

  test('event file - fills a field from the defaults where file or row has none', async () => {
    const path = join(temporaryFolder(), 'transactions.ndjson')
    const { currency: _currency, ...rest } = transactionOf()
    const rows = [rest, { ...rest, currency: 'USD', channel: 'app' }]
    writeFileSync(path, rows.map((row) => JSON.stringify(row)).join('\n'))
    const filled = mappedInput({
      transactions: {
        ...{ transactionId: {}, eventTime: { unit: 'ms' } },
        ...{ currency: { absent: 'EUR' }, channel: { absent: 'pos' } },
      },
    })
    const events = await readAll(openTransactionFile(path, filled))
    expect(events.map(({ value }) => [value?.currency, value?.channel])).toEqual([
      ['EUR', 'pos'],
      ['USD', 'app'],
    ])
    await expect(readAll(openLabelFile(path))).rejects.toThrow(/found no column "isFraud"/)
  })

  test('event file - reads verdicts and times of NDJSON', async () => {
    const path = join(temporaryFolder(), 'labels.ndjson')
    const label = { transactionId: 't', customerId: 'c', terminalId: 'm', isFraud: 1 }
    const eventTime = Date.UTC(2026, 0, 1) + 500
    writeFileSync(path, `${JSON.stringify({ ...label, eventTime, labelTime: timesMs[0] })}\n\n`)
    const events = await readAll(openLabelFile(path))
    expect(events.map(({ timeMs, value }) => [timeMs, value])).toEqual([
      [
        timesMs[0],
        {
          ...label,
          isFraud: true,
          eventTime,
          labelTime: timesMs[0],
          source: 'file',
        },
      ],
    ])
  })

  test('event file - puts a row without a time at the time of the row before it', async () => {
    const path = join(temporaryFolder(), 'transactions.ndjson')
    const good = transactionOf({ eventTime: timesMs[1]! })
    const bad = { ...good, eventTime: 'yesterday' }
    writeFileSync(path, [good, bad, good].map((row) => JSON.stringify(row)).join('\n'))
    const file = openTransactionFile(path)
    const events = await readAll(file)
    expect(events.map(({ timeMs }) => timeMs)).toEqual([timesMs[1], timesMs[1], timesMs[1]])
    expect(events.map(({ fault }) => fault?.detail ?? null)).toEqual([
      null,
      'eventTime: found string, expected a time in milliseconds since 1970',
      null,
    ])
    expect(await readTimes(file)).toEqual([timesMs[1], timesMs[1], timesMs[1]])
  })

  test('event file - joins lines and characters across chunks of the file', async () => {
    const path = join(temporaryFolder(), 'many.jsonl')
    const rows = Array.from({ length: 20_000 }, (_, i) =>
      transactionOf({ transactionId: `tä${i}-${'é'.repeat(i % 40)}`, eventTime: i }),
    )
    writeFileSync(path, rows.map((row) => JSON.stringify(row)).join('\n'))
    const events = await readAll(openTransactionFile(path))
    expect(events.map(({ value }) => value?.transactionId)).toEqual(
      rows.map(({ transactionId }) => transactionId),
    )
    expect(events.map(({ row }) => row)).toEqual(rows.map((_, i) => i))
  })

  test('event file - refuses other endings and files that are not there', async () => {
    expect(() => openTransactionFile('history.xlsx')).toThrow(WeirError)
    for (const name of ['none.parquet', 'none.ndjson']) {
      const file = openTransactionFile(join(temporaryFolder(), name))
      await expect(readAll(file)).rejects.toThrow(/WEIR_FILE_INVALID.*ENOENT/)
    }
  })
})
