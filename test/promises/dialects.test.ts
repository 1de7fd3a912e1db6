// Four formats that are not Weir's, read as their makers write them: pipelines/examples.
//
// A replay of each set's own file gives what its facts.json says: rows, exact sums, distinct keys,
// labels, and windows before a payment, the payment itself left out. Skipped where the sets are not
// there: they are never part of the repository.

import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parquetReadObjects } from 'hyparquet'
import { compressors } from 'hyparquet-compressors'
import { describe, expect, it } from 'vitest'
import { openEventFile } from '../../services/adapters/event-files/event-file.ts'
import { transactionRows } from '../../services/adapters/event-files/row-mappings.ts'
import { loadPipelineFile } from '../../services/adapters/pipeline-file/pipeline-file.ts'
import type { PipelineDefinition } from '../../services/core/pipeline-definition.ts'
import type { Transaction } from '../../services/pipeline/records.ts'
import { runReplay } from '../../services/replay/run-replay.ts'
import { repositoryPath } from '../adapters/pipeline-file/pipeline-text.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'

const data = process.env.WEIR_DATA ?? repositoryPath('../shared/data')
const folder = join(data, 'dialects')

type Row = Readonly<Record<string, number | string | bigint | Date | null>>
type Spot = {
  readonly id: string
  readonly prior_count_1h: number
  readonly prior_count_24h: number
  readonly prior_sum_minor_1h: number
  readonly prior_sum_minor_24h: number
}

const pipelineOf = (name: string): PipelineDefinition =>
  loadPipelineFile(repositoryPath(`pipelines/examples/${name}.yaml`))

async function readFile(definition: PipelineDefinition, path: string) {
  const file = openEventFile({ path, name: path }, transactionRows(definition), 0)
  const events: Transaction[] = []
  let skipped = 0
  for await (const block of file.readEvents()) {
    for (const { value, fault } of block) {
      if (value !== null) events.push(value)
      else if (fault?.code === 'WEIR_DECODE_SKIPPED') skipped++
      else throw new Error(`${path}: ${fault?.detail}`)
    }
  }
  return { events, skipped }
}

async function replay(definition: PipelineDefinition, transactions: string, labels: string[]) {
  const outFolder = join(temporaryFolder(), 'run')
  const report = await runReplay({
    definition,
    transactionFiles: [transactions],
    labelFiles: labels,
    isScoring: false,
    outFolder,
  })
  const bytes = readFileSync(join(outFolder, 'features.parquet'))
  const file = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength)
  const rows = (await parquetReadObjects({ file, compressors })) as Row[]
  return { report, rows: new Map(rows.map((row) => [row.transactionId as string, row])) }
}

const distinct = (events: readonly Transaction[], field: string): number =>
  new Set(events.map((event) => event[field])).size
const sum = (events: readonly Transaction[], field: string): number =>
  events.reduce((total, event) => total + (event[field] as number), 0)

/** Windows before a payment, which is in none of them. */
function expectSpots(rows: ReadonlyMap<string, Row>, spots: readonly Spot[], entity: string): void {
  expect(spots.length).toBeGreaterThan(0)
  for (const spot of spots) {
    const row = rows.get(spot.id)!
    expect(row[`${entity}_count_1h`], spot.id).toBe(spot.prior_count_1h)
    expect(row[`${entity}_count_1d`], spot.id).toBe(spot.prior_count_24h)
    expect(row[`${entity}_sum_1h`], spot.id).toBe(Math.fround(spot.prior_sum_minor_1h * 0.01))
    expect(row[`${entity}_sum_1d`], spot.id).toBe(Math.fround(spot.prior_sum_minor_24h * 0.01))
  }
}

const facts = (path: string) => JSON.parse(readFileSync(join(folder, path, 'facts.json'), 'utf8'))

describe.skipIf(!existsSync(folder))('formats of others (needs their data)', () => {
  it('Sparkov: card numbers, text times, major units, distances and ages', async () => {
    const definition = pipelineOf('sparkov')
    const path = join(folder, '01-sparkov/fraudTrain.csv')
    const known = facts('01-sparkov')['fraudTrain.csv']
    const { events } = await readFile(definition, path)
    expect(events).toHaveLength(known.rows)
    expect(sum(events, 'amount')).toBe(known.sum_amt_minor)
    expect(distinct(events, 'card')).toBe(known.distinct_cc_num)
    expect(distinct(events, 'merchant')).toBe(known.distinct_merchant)
    expect(distinct(events, 'transactionId')).toBe(known.distinct_trans_num)
    const times = events.map(({ eventTime }) => eventTime)
    expect([Math.min(...times), Math.max(...times)]).toEqual([known.first_ms, known.last_ms])
    const large = events.filter(({ card }) => BigInt(card as string) > 2n ** 53n)
    expect([large.length, distinct(large, 'card')]).toEqual([
      known.cc_num_above_2_53,
      known.cards_above_2_53,
    ])
    const { report, rows } = await replay(definition, path, [])
    expect(report).toMatchObject({ rejected: 0, labels: known.rows, labelsRejected: 0 })
    for (const spot of known.spot) {
      const row = rows.get(spot.trans_num)!
      expect(row.distance_km as number).toBeCloseTo(spot.distance_km, 1)
      expect(row.age).toBe(spot.age_years)
      expect(row.hour).toBe(spot.hour)
      expect(row.weekday).toBe(spot.weekday_mon0)
      const event = events.find(({ transactionId }) => transactionId === spot.trans_num)!
      expect(event.bin).toBe(spot.bin6)
    }
    expectSpots(rows, known.spot_windows, 'card')
  })

  it('PaySim: steps of an hour, rows without an id, balances', async () => {
    const definition = pipelineOf('paysim')
    const path = join(folder, '02-paysim/paysim2_rawLog.csv')
    const known = facts('02-paysim')['paysim2_rawLog.csv']
    const { events } = await readFile(definition, path)
    expect(events).toHaveLength(known.rows)
    expect(sum(events, 'amount')).toBe(known.sum_amount_minor)
    expect(distinct(events, 'sender')).toBe(known.distinct_orig)
    expect(distinct(events, 'receiver')).toBe(known.distinct_dest)
    expect(distinct(events, 'transactionId')).toBe(known.rows)
    const { report, rows } = await replay(definition, path, [])
    expect(report).toMatchObject({ rejected: 0, labels: known.rows, labelsRejected: 0 })
    for (const spot of known.spot) {
      const row = rows.get(`0-${spot.data_row}`)!
      const errors = [
        spot['errorOrig = newBalanceOrig + amount - oldBalanceOrig'],
        spot['errorDest = oldBalanceDest + amount - newBalanceDest'],
      ]
      expect(row.sender_error as number).toBeCloseTo(errors[0], 1)
      expect(row.receiver_error as number).toBeCloseTo(errors[1], 1)
      expect(row.amount_by_balance as number).toBeCloseTo(spot['amount/oldBalanceOrig'], 2)
    }
  })

  it('Stripe: charges among other events, disputes as labels, currencies of 0, 2 and 3 decimals', async () => {
    const definition = pipelineOf('stripe')
    const path = join(folder, '08-json/stripe/events.jsonl')
    const known = facts('08-json/stripe')['events.jsonl']
    const { events, skipped } = await readFile(definition, path)
    const charges = known.types['charge.succeeded'] + known.types['charge.failed']
    expect([events.length, skipped]).toEqual([charges, known.messages - charges])
    expect(distinct(events, 'transactionId')).toBe(known.distinct_charges)
    // Some messages come twice; the facts have each payment that succeeded once.
    const paid = events.filter(({ type }) => type === 'charge.succeeded')
    const once = [...new Map(paid.map((event) => [event.transactionId, event])).values()]
    for (const [code, minor] of Object.entries(known.sum_minor_by_currency)) {
      const own = once.filter(({ currency }) => currency === code.toUpperCase())
      expect(sum(own, 'amount'), code).toBe(minor)
    }
    const { report } = await replay(definition, path, [path])
    const others = known.messages - known.fraud_labels
    expect(report.skipped).toBe(skipped)
    expect(report.labelsSkipped).toBeGreaterThanOrEqual(others - 10)
  })

  it('a stranger’s Avro: decimals, a map of keys, an enum, null recipients', async () => {
    const definition = pipelineOf('payments-avro')
    const path = join(folder, '09-avro-proto/transaction.avro')
    const known = facts('09-avro-proto')['transaction.avro']
    const { events } = await readFile(definition, path)
    expect(events).toHaveLength(known.rows)
    expect(sum(events, 'amount')).toBe(known.sum_amount_minor)
    expect(distinct(events, 'customer')).toBe(known.customers)
    expect(events.filter(({ recipient }) => recipient === null)).toHaveLength(known.recipient_null)
    expect(events.filter(({ status }) => status === 'FAILED')).toHaveLength(known.status.FAILED)
    const labels = join(folder, '09-avro-proto/transaction.labels.csv')
    const { report, rows } = await replay(definition, path, [labels])
    expect(report).toMatchObject({ rejected: 0, labels: known.labels })
    expectSpots(rows, known.spot_windows, 'customer')
  })
})
