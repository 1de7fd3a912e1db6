// A replay as a whole: the same bytes whatever the batches and files, labels only from their time
// on, vectors as the naive oracle says, nothing lost and nothing half-written.

import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { writeFiles } from '../../load/generator/file-sink.ts'
import { runReplay } from '../../services/replay/run-replay.ts'
import { createOracle } from '../oracle/oracle.ts'
import {
  addArrival,
  batchOf,
  type CardLabel,
  type CardTransaction,
  createLane,
  fraudLabelOf,
  transactionOf,
} from '../support/batches.ts'
import { createRandom } from '../support/random.ts'
import { randomPipeline } from '../support/random-pipeline.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'
import {
  replaySmall,
  type SmallHistory,
  shippedPipeline,
  smallHistory,
  writeNdjson,
} from './replay-world.ts'

const hourMs = 3_600_000

describe('replay - determinism', () => {
  test.each([true, false])(
    'replay - writes the same bytes for batches of 1, 7 and 1000 (scoring: %s)',
    async (isScoring) => {
      const history = smallHistory(1)
      const runs = []
      for (const batchEvents of [1, 7, 1000]) {
        runs.push(await replaySmall(history, { isScoring, batchEvents }))
      }
      const [first, ...others] = runs
      expect(first!.report.events).toBe(history.transactions.length)
      expect(first!.report.events).toBeGreaterThan(500)
      for (const other of others) {
        expect(other.bytes.equals(first!.bytes)).toBe(true)
        for (const name of ['manifest.json', 'report.json', 'rejected.ndjson']) {
          expect(other.read(name)).toBe(first!.read(name))
        }
        if (isScoring) expect(other.read('report.html')).toBe(first!.read('report.html'))
      }
    },
  )

  test('replay - gives the same rows from several files, shuffled files and Parquet', async () => {
    const { transactions, labels } = smallHistory(2)
    const whole = await replaySmall({ transactions, labels })
    const folder = temporaryFolder()
    const ofCustomer = (parity: number) =>
      transactions.filter(({ customerId }) => Number(customerId.slice(1)) % 2 === parity)
    const reversed = [...ofCustomer(1)].reverse()
    const split = await replaySmall(
      { transactions, labels },
      {
        transactionFiles: [
          writeNdjson(folder, 'even.ndjson', ofCustomer(0)),
          writeNdjson(folder, 'odd.ndjson', reversed),
        ],
        labelFiles: [writeNdjson(folder, 'labels.jsonl', [...labels].reverse())],
      },
    )
    expect(split.bytes.equals(whole.bytes)).toBe(true)
    const { inputs } = JSON.parse(split.read('manifest.json'))
    expect(inputs.transactions).toMatchObject([
      { name: 'even.ndjson', order: 'by time' },
      { name: 'odd.ndjson', order: 'sorted in memory' },
    ])
  })

  test("replay - reads the generator's Parquet files as it reads NDJSON", async () => {
    const generator = { seed: 5, customers: 30, terminals: 20, days: 6, fraudShare: 0.05 }
    const runs = []
    for (const format of ['parquet', 'ndjson'] as const) {
      const directory = temporaryFolder()
      const counts = writeFiles({ directory, format, generator })
      const run = await replaySmall(smallHistory(5, 1), {
        transactionFiles: [join(directory, `transactions.${format}`)],
        labelFiles: [join(directory, `labels.${format}`)],
      })
      expect(run.report).toMatchObject({ events: counts.transactions, labels: counts.labels })
      runs.push(run)
    }
    expect(runs[0]!.bytes.equals(runs[1]!.bytes)).toBe(true)
  })
})

describe('replay - time', () => {
  const definition = shippedPipeline()
  const at = (hours: number, id: string, customerId = 'c'): CardTransaction =>
    transactionOf({
      transactionId: id,
      eventTime: Date.UTC(2026, 0, 1) + hours * hourMs,
      customerId,
      terminalId: 'm',
    })

  test('replay - shows a label to the transaction at its label time and to none before', async () => {
    const abused = at(0, 'abused')
    const labelTime = abused.eventTime + 10 * hourMs
    const just = { ...at(10, 'just before'), eventTime: labelTime - 1 }
    const run = await replaySmall({
      transactions: [abused, at(5, 'before'), just, at(10, 'at'), at(11, 'after')],
      labels: [fraudLabelOf(abused, { labelTime })],
    })
    const rates = Object.fromEntries(
      (await run.rows()).map((row) => [row.transactionId, row.terminal_fraud_rate_7d]),
    )
    expect(rates).toEqual({
      abused: 0,
      before: 0,
      'just before': 0,
      at: Math.fround(1 / 4),
      after: Math.fround(1 / 5),
    })
  })

  test('replay - a label known later changes no vector before its time', async () => {
    const { transactions, labels } = smallHistory(3)
    const cutMs = transactions[Math.floor(transactions.length / 2)]!.eventTime
    const known = labels.filter(({ labelTime }) => labelTime <= cutMs)
    expect(known.length).toBeLessThan(labels.length)
    const withAll = await (await replaySmall({ transactions, labels })).rows()
    const withKnown = await (await replaySmall({ transactions, labels: known })).rows()
    let changedAfter = 0
    withAll.forEach((row, i) => {
      const isSame = definition.features.every(({ name }) =>
        Object.is(row[name], withKnown[i]![name]),
      )
      if (!isSame && (row.eventTime as Date).getTime() <= cutMs) {
        throw new Error(`row ${i} saw a label that was known only later`)
      }
      if (!isSame) changedAfter++
    })
    expect(changedAfter).toBeGreaterThan(20)
  })

  test('replay - says fraud where a label says so at any time, and null where none does', async () => {
    const [fraud, genuine, revised, silent] = ['fraud', 'genuine', 'revised', 'silent'].map(
      (id, i) => at(i, id),
    ) as [CardTransaction, CardTransaction, CardTransaction, CardTransaction]
    const later = silent.eventTime + 1000 * hourMs
    const run = await replaySmall({
      transactions: [fraud, genuine, revised, silent],
      labels: [
        fraudLabelOf(revised, { labelTime: later }),
        fraudLabelOf(fraud, { labelTime: later }),
        fraudLabelOf(genuine, { labelTime: later, isFraud: false }),
        fraudLabelOf(revised, { labelTime: later + 1, isFraud: false }),
      ],
    })
    expect((await run.rows()).map(({ isFraud }) => isFraud ?? null)).toEqual([
      true,
      false,
      false,
      null,
    ])
    expect(run.report).toMatchObject({ labels: 4, labelsRejected: 0 })
  })
})

describe('replay - features', () => {
  /** The whole history as one batch, merged without any code of the replay. */
  function mergePlainly({ transactions, labels }: SmallHistory) {
    const known = (event: CardTransaction | CardLabel) =>
      'isFraud' in event ? event.labelTime : event.eventTime
    const events = [...labels, ...transactions].sort((a, b) => known(a) - known(b))
    const lanes = [createLane(0), createLane(1, 'labels')] as const
    const order = events.map((event) => {
      const lane = 'isFraud' in event ? 1 : 0
      addArrival(lanes[lane], event)
      return lane
    })
    const shares = lanes.map((lane) => ({ lane, epoch: 1, from: 0, count: lane.arrivals.length }))
    return batchOf(shares, order)
  }

  test.each([11, 12, 13, 14, 15])('replay - equals the naive oracle, seed %i', async (seed) => {
    const random = createRandom(seed)
    const definition = seed === 11 ? shippedPipeline() : randomPipeline(random)
    const history = smallHistory(seed, 10)
    const expected = createOracle(definition).advance(mergePlainly(history))
    const rows = await (await replaySmall(history, { definition, batchEvents: 17 })).rows()
    expect(rows.length).toBe(expected.length)
    rows.forEach((row, r) => {
      definition.features.forEach(({ name }, f) => {
        if (Object.is(row[name], expected[r]!.vector[f])) return
        throw new Error(
          `seed ${seed}, row ${r}, ${name}: found ${row[name]}, the oracle says ${expected[r]!.vector[f]}`,
        )
      })
    })
  })
})

describe('replay - the run folder', () => {
  test('replay - counts and keeps what is refused, with its place and code', async () => {
    const good = transactionOf({ transactionId: 'good' })
    const folder = temporaryFolder()
    const lines = [
      JSON.stringify(good),
      'not json',
      JSON.stringify({ ...good, transactionId: null }),
      JSON.stringify({ ...good, amountMinor: 1.5 }),
      JSON.stringify({ ...good, amountMinor: -1 }),
      JSON.stringify({ ...good, currency: 'XXQ' }),
      JSON.stringify({ ...good, transactionId: 'also good' }),
    ]
    const path = join(folder, 'mixed.ndjson')
    writeFileSync(path, lines.join('\n'))
    const run = await replaySmall(
      { transactions: [], labels: [] },
      { transactionFiles: [path], labelFiles: [] },
    )
    const refused = run
      .read('rejected.ndjson')
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line))
    expect(refused.map(({ file, row, code }) => [file, row, code])).toEqual([
      ['mixed.ndjson', 2, 'WEIR_DECODE_ROW'],
      ['mixed.ndjson', 3, 'WEIR_VALIDATE_ID'],
      ['mixed.ndjson', 4, 'WEIR_VALIDATE_AMOUNT'],
      ['mixed.ndjson', 5, 'WEIR_VALIDATE_AMOUNT'],
      ['mixed.ndjson', 6, 'WEIR_VALIDATE_CURRENCY'],
    ])
    expect(run.report).toMatchObject({
      events: 7,
      rejected: 5,
      rejectedByCode: {
        WEIR_DECODE_ROW: 1,
        WEIR_VALIDATE_ID: 1,
        WEIR_VALIDATE_AMOUNT: 2,
        WEIR_VALIDATE_CURRENCY: 1,
      },
    })
    const ids = (await run.rows()).map(({ transactionId }) => transactionId)
    expect(ids).toEqual(['good', 'also good'])
  })

  test('replay - refuses a folder that holds something and leaves it alone', async () => {
    const folder = temporaryFolder()
    const outFolder = join(folder, 'out')
    mkdirSync(outFolder)
    writeFileSync(join(outFolder, 'mine.txt'), 'mine')
    await expect(replaySmall(smallHistory(1, 1), { outFolder })).rejects.toThrow(
      'WEIR_SETTINGS_INVALID',
    )
    expect(readdirSync(folder)).toEqual(['out'])
    expect(readdirSync(outFolder)).toEqual(['mine.txt'])
  })

  test('replay - leaves nothing behind when a file cannot be read', async () => {
    const folder = temporaryFolder()
    const path = join(folder, 'broken.parquet')
    writeFileSync(path, 'PAR1 this is not Parquet')
    const replay = runReplay({
      definition: shippedPipeline(),
      transactionFiles: [path],
      labelFiles: [],
      isScoring: false,
      outFolder: join(folder, 'out'),
    })
    await expect(replay).rejects.toThrow(`WEIR_FILE_INVALID`)
    expect(existsSync(join(folder, 'out'))).toBe(false)
    expect(readdirSync(folder)).toEqual(['broken.parquet'])
  })

  test('replay - scores, decides and measures with the model of the pipeline file', async () => {
    const history = smallHistory(4)
    const definition = shippedPipeline()
    const run = await replaySmall(history, { definition, isScoring: true })
    const rows = await run.rows()
    const { review, block } = definition.policy
    for (const { score, decision, isFraud } of rows) {
      const expected =
        Number(score) >= block ? 'block' : Number(score) >= review ? 'review' : 'approve'
      expect(decision).toBe(expected)
      expect([true, false, null, undefined]).toContain(isFraud)
    }
    const manifest = JSON.parse(run.read('manifest.json'))
    expect(manifest.model).toMatchObject({ name: 'card-fraud', version: '1' })
    expect(manifest.pipeline.hash).toBe(definition.hash)
    const measured = rows.filter(({ isFraud }) => typeof isFraud === 'boolean')
    expect(run.report).toMatchObject({ scored: rows.length, measured: measured.length })
    expect(run.report.rocAuc).toBeGreaterThan(0.5)
    expect(run.report.averagePrecision).toBeGreaterThan(run.report.frauds / measured.length)
  })
})
