// Leaving out whoever is known: the rule, a run that obeys it, and the handbook's own counts.

import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { asyncBufferFromFile, parquetReadObjects } from 'hyparquet'
import { compressors } from 'hyparquet-compressors'
import { describe, expect, test } from 'vitest'
import { repositoryFolder } from '../../dev/stack/repository.ts'
import { rankCards } from '../../services/backtest/card-precision.ts'
import { planKey } from '../../services/pipeline/entity-key.ts'
import { createKnownFrauds } from '../../services/replay/known-frauds.ts'
import { fraudLabelOf, transactionOf } from '../support/batches.ts'
import { replaySmall, smallHistory } from './replay-world.ts'

const dayMs = 86_400_000
const dayOf = (timeMs: number): number => Math.floor(timeMs / dayMs) * dayMs

describe('known frauds', () => {
  const abused = transactionOf({ customerId: 'c', eventTime: 10 * dayMs })

  test('known frauds - are known after their label time, and only those since the moment given', () => {
    const table = createKnownFrauds(10 * dayMs, planKey(['customerId']))
    table.add(fraudLabelOf(abused, { labelTime: 17 * dayMs }))
    table.add(fraudLabelOf(abused, { labelTime: 19 * dayMs }))
    table.add(fraudLabelOf({ ...abused, customerId: 'genuine' }, { isFraud: false, labelTime: 1 }))
    table.add(fraudLabelOf({ ...abused, customerId: 'before', eventTime: 10 * dayMs - 1 }))
    expect(table.isKnown('c', 17 * dayMs)).toBe(false)
    expect(table.isKnown('c', 17 * dayMs + 1)).toBe(true)
    expect(['genuine', 'before', 'nobody'].some((id) => table.isKnown(id, 1e15))).toBe(false)
  })

  test('known frauds - are left out of the measures and stay in the rows', async () => {
    const history = smallHistory(37, 15)
    const beginMs = dayOf(history.transactions[0]!.eventTime)
    const knownSinceMs = beginMs + 2 * dayMs
    const measureFromMs = beginMs + 6 * dayMs
    const run = await replaySmall(history, { isScoring: true, knownSinceMs, measureFromMs })
    const plain = await replaySmall(history, { isScoring: true, measureFromMs })
    const isLeftOut = ({ customerId, eventTime }: (typeof history.transactions)[number]) =>
      history.labels.some(
        (label) =>
          label.isFraud &&
          label.customerId === customerId &&
          label.eventTime >= knownSinceMs &&
          label.labelTime < dayOf(eventTime),
      )
    const measured = history.transactions.filter(({ eventTime }) => eventTime >= measureFromMs)
    const leftOut = measured.filter(isLeftOut).length
    expect(leftOut).toBeGreaterThan(10)
    expect(leftOut).toBeLessThan(measured.length)
    const detail = run.report.backtest!
    expect(detail).toMatchObject({ leftOut, events: measured.length - leftOut })
    expect(plain.report.backtest).toMatchObject({ leftOut: 0, knownSince: null })
    expect(run.report.averagePrecision).not.toBe(plain.report.averagePrecision)
    expect(run.bytes.equals(plain.bytes)).toBe(true)
    expect(run.read('report.html')).toContain(`${leftOut} payments are left out`)
  })
})

const folder = join(process.env.WEIR_DATA ?? join(repositoryFolder, '../shared/data'), 'handbook')

describe.skipIf(!existsSync(folder))('known frauds of the handbook (needs its data)', () => {
  async function readColumns<Row>(name: string, columns: string[]): Promise<Row[]> {
    const file = await asyncBufferFromFile(join(folder, name))
    // Transaction 1,000,000 is of mid-July, before the training week.
    const range = { rowStart: 1_000_000, columns, compressors }
    return (await parquetReadObjects({ file, ...range })) as Row[]
  }

  type Event = { readonly event_time: Date; readonly customer_id: number }
  type Verdict = { readonly is_fraud: boolean; readonly label_time: Date }

  test('known frauds - leave what the handbook measured: its events, frauds and perfect model', async () => {
    const events = await readColumns<Event>('transactions.parquet', ['event_time', 'customer_id'])
    const labels = await readColumns<Verdict>('labels.parquet', ['is_fraud', 'label_time'])
    expect(events[0]!.event_time.getTime()).toBeLessThan(Date.UTC(2018, 6, 25))
    const table = createKnownFrauds(Date.UTC(2018, 6, 25), planKey(['customerId']))
    labels.forEach(({ is_fraud: isFraud, label_time: labelTime }, i) => {
      const { event_time: time, customer_id: customer } = events[i]!
      const transaction = transactionOf({
        customerId: String(customer),
        eventTime: time.getTime(),
      })
      table.add(fraudLabelOf(transaction, { isFraud, labelTime: labelTime.getTime() }))
    })
    const left: { day: number; customer: number; isFraud: boolean }[] = []
    events.forEach(({ event_time: time, customer_id: customer }, i) => {
      const eventMs = time.getTime()
      if (eventMs < Date.UTC(2018, 7, 8) || eventMs >= Date.UTC(2018, 7, 15)) return
      if (table.isKnown(String(customer), dayOf(eventMs))) return
      left.push({ day: dayOf(eventMs), customer, isFraud: labels[i]!.is_fraud })
    })
    expect([left.length, left.filter(({ isFraud }) => isFraud).length]).toEqual([58_264, 385])
    const isFraudAt = (i: number): boolean => left[i]!.isFraud
    const perfect = rankCards({
      count: left.length,
      customerIds: Array.from({ length: 5000 }, (_, id) => String(id)),
      dayAt: (i) => left[i]!.day,
      customerAt: (i) => left[i]!.customer,
      scoreAt: (i) => Number(isFraudAt(i)),
      isFraudAt,
    })
    expect(perfect.measure().mean).toBeCloseTo(0.397, 3)
  })
})
