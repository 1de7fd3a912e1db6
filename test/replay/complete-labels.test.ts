// Labels that are ids and verdicts alone: completed from the transactions, they are the whole
// labels.

import { describe, expect, test } from 'vitest'
import type { BareLabel } from '../../services/adapters/event-files/row-mappings.ts'
import type { PipelineDefinition } from '../../services/core/pipeline-definition.ts'
import { type CardLabel, fraudLabelOf, transactionOf } from '../support/batches.ts'
import { replaySmall, shippedPipeline, smallHistory } from './replay-world.ts'

const bare = ({ transactionId, isFraud, labelTime, source }: CardLabel): BareLabel => ({
  transactionId,
  isFraud,
  labelTime,
  source,
})

function lookingUp(): PipelineDefinition {
  const shipped = shippedPipeline()
  const labels = { ...shipped.input.labels, isLookup: true }
  return { ...shipped, input: { ...shipped.input, labels } }
}

const replayBare = (
  transactions: Parameters<typeof replaySmall>[0]['transactions'],
  labels: readonly BareLabel[],
) =>
  replaySmall(
    { transactions, labels: labels as unknown as readonly CardLabel[] },
    { definition: lookingUp() },
  )

describe('complete labels', () => {
  test('complete labels - gives the bytes of whole labels, in whichever order they stand', async () => {
    const seed = 20_261_123
    const { transactions, labels } = smallHistory(seed, 60)
    expect(labels.length, `seed ${seed}`).toBeGreaterThan(100)
    const whole = await replaySmall({ transactions, labels })
    for (const given of [labels, [...labels].reverse()]) {
      const completed = await replayBare(transactions, given.map(bare))
      expect(completed.report).toMatchObject({ labels: labels.length, labelsRejected: 0 })
      expect(completed.bytes.equals(whole.bytes)).toBe(true)
    }
  })

  test('complete labels - takes a label at the very time of its transaction, and a second one', async () => {
    const first = transactionOf({ transactionId: 'first', terminalId: 'T' })
    const next = { ...first, transactionId: 'next', eventTime: first.eventTime + 1000 }
    const fraud = fraudLabelOf(first, { labelTime: first.eventTime })
    const labels = [{ ...fraud, isFraud: false }, fraud].map(bare)
    const { report, rows } = await replayBare([first, next], labels)
    expect(report).toMatchObject({ labels: 2, labelsRejected: 0 })
    const [, last] = await rows()
    // One fraud of the two transactions in the window.
    expect(last).toMatchObject({ terminal_fraud_rate_7d: 0.5 })
  })

  test('complete labels - refuses labels without a transaction, before it and beyond reach', async () => {
    const first = transactionOf({ transactionId: 'first' })
    const dayMs = 86_400_000
    const late = { ...first, transactionId: 'late', eventTime: first.eventTime + 300 * dayMs }
    const labels = [
      fraudLabelOf({ ...first, transactionId: 'nobody' }),
      fraudLabelOf(first, { labelTime: first.eventTime - 1 }),
      fraudLabelOf(first, { labelTime: first.eventTime + 299 * dayMs }),
    ]
    const { report, read } = await replayBare([first, late], labels.map(bare))
    expect(report).toMatchObject({ events: 2, labels: 3, labelsRejected: 3 })
    const refused = read('rejected.ndjson')
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line))
    for (const { code, detail } of refused) {
      expect(code).toBe('WEIR_DECODE_NO_TRANSACTION')
      expect(detail).toContain('no transaction of this id')
    }
    expect(refused.map(({ row }) => row).sort()).toEqual([1, 2, 3])
  })
})
