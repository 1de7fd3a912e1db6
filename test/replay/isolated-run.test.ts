// The names of a run of several processes: none of them is a live one, and the pipeline stays what
// it is.

import { expect, it } from 'vitest'
import { isolateRun, refuseOtherTerms } from '../../services/replay/isolated-run.ts'
import { shippedPipeline } from './replay-world.ts'

const live = shippedPipeline()

it('isolated run - reads the live inputs and writes to no live topic', () => {
  const { definition, outputs } = isolateRun('january-3', live)
  expect(definition.topics.transactions).toBe(live.topics.transactions)
  expect(definition.topics.labels).toBe(live.topics.labels)
  expect(outputs).toContain('weir-replay-january-3.transactions.scored')
  expect(outputs.filter((topic) => Object.values(live.topics).includes(topic))).toEqual([])
  for (const role of ['scored', 'alerts', 'driftSamples', 'rejected', 'late'] as const) {
    expect(outputs).toContain(definition.topics[role])
  }
})

it('isolated run - is the same pipeline, with keys that WEIR_KEY_PREFIX cannot name', () => {
  const { definition, keyPrefix } = isolateRun('january', live)
  expect(definition.hash).toBe(live.hash)
  expect(definition.features).toBe(live.features)
  expect(keyPrefix).toMatch(/^weir-replay\/named\//)
})

it.each(['', 'January', 'a/b', 'a:b', '-a', 'a-', 'a'.repeat(41)])(
  'isolated run - refuses the name %j',
  (name) => {
    expect(() => isolateRun(name, live)).toThrow(/WEIR_SETTINGS_INVALID.*expected up to 40/)
  },
)

it('isolated run - refuses another pipeline and other models than it began with', () => {
  const model = { name: 'm', version: '1', sha256: 'aa' }
  const agreed = { pipelineHash: 'h', models: [model], ranges: [] }
  expect(() => refuseOtherTerms('a', agreed, agreed)).not.toThrow()
  expect(() => refuseOtherTerms('a', agreed, { ...agreed, pipelineHash: 'g' })).toThrow(
    /found the pipeline g, expected h/,
  )
  const models = [{ ...model, sha256: 'bb' }]
  expect(() => refuseOtherTerms('a', agreed, { ...agreed, models })).toThrow(
    /found the models m 1 bb, expected m 1 aa/,
  )
})
