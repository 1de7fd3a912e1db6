// A replay through a champion that gives no probability for some events: those rows are set aside.

import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { loadPipelineFile } from '../../services/adapters/pipeline-file/pipeline-file.ts'
import { readManifest } from '../../services/adapters/pipeline-file/pipeline-manifest.ts'
import { fixtureFolder } from '../adapters/onnx/fixture-models.ts'
import { transactionOf } from '../support/batches.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'
import { replaySmall } from './replay-world.ts'

const isBad = (i: number): boolean => i % 10 === 3

/** The model gives the amount back. */
const pipelineText = `pipeline: bad-score
entities:
  customer: { key: [customerId] }
features:
  - { name: amount, field: amountMinor, scale: 0.01 }
  - { name: is_night, calendar: { hours: [0, 6] } }
  - { name: customer_count_1d, entity: customer, op: count, window: 1d }
  - { name: customer_amount_mean_7d, entity: customer, op: mean, of: amountMinor, window: 7d }
model: { name: unbounded, version: "1", source: ${fixtureFolder} }
policy: { review: 0.5, block: 0.9 }
`

function loadDefinition() {
  const file = join(temporaryFolder(), 'pipeline.yaml')
  writeFileSync(file, pipelineText)
  return loadPipelineFile(file, { manifestReader: readManifest })
}

const history = (amountOf: (i: number) => number) => ({
  transactions: Array.from({ length: 200 }, (_, i) =>
    transactionOf({
      transactionId: `t-${i}`,
      eventTime: Date.UTC(2026, 0, 5) + i * 60_000,
      customerId: 'c-1',
      amountMinor: amountOf(i),
    }),
  ),
  labels: [],
})

describe('replay - a row without a probability', () => {
  test('replay - goes on without the row, whatever the batches, and tells it', async () => {
    const definition = loadDefinition()
    const runs = []
    for (const batchEvents of [7, 1000]) {
      const amounts = history((i) => (isBad(i) ? 20_000 : i % 100))
      runs.push(await replaySmall(amounts, { definition, batchEvents, isScoring: true }))
    }
    const [first, second] = runs
    expect(second!.bytes.equals(first!.bytes)).toBe(true)
    expect(first!.report).toMatchObject({ events: 200, scored: 180 })
    const rows = await first!.rows()
    expect(rows.map(({ transactionId }) => transactionId)).toEqual(
      Array.from({ length: 200 }, (_, i) => i)
        .filter((i) => !isBad(i))
        .map((i) => `t-${i}`),
    )
    // It is counted all the same: the rows behind it see it.
    expect(rows.map((row) => row.customer_count_1d)).toEqual(
      Array.from({ length: 200 }, (_, i) => i)
        .filter((i) => !isBad(i))
        .map((i) => i + 1),
    )
    const lines = first!.read('rejected.ndjson').trimEnd().split('\n')
    expect(lines).toHaveLength(20)
    expect(JSON.parse(lines[0]!)).toEqual({
      stream: 'transactions',
      transactionId: 't-3',
      stage: 'classify',
      code: 'WEIR_CLASSIFY_BAD_SCORE',
      detail: 'unbounded 1 scored 200, expected 0 to 1',
    })
  })
})
