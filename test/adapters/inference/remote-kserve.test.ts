// The remote classifier against a real server of the Open Inference Protocol v2: KServe.

import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { createRemoteClassifier } from '../../../services/adapters/inference/remote-classifier.ts'
import { readModelFolder } from '../../../services/adapters/models/model-files.ts'
import { createOnnxClassifier } from '../../../services/adapters/onnx/onnx-classifier.ts'
import { noSignatures } from '../../../services/models/manifest-signature.ts'
import { observeNothing } from '../../../services/pipeline/observe/signals.ts'
import {
  drawRows,
  fixtureFeatures,
  fixtureFolder,
  fixtureModel,
  goldenOf,
  onCpu,
  randomOf,
} from '../onnx/fixture-models.ts'
import { prepareKserve, startKserve } from './kserve-server.ts'

const missing = await prepareKserve()
if (missing !== null) console.log(`remote kserve - skipped, no server: ${missing}`)

const graph = join(fixtureFolder, 'trees', '1', 'model.onnx')

describe.skipIf(missing !== null)('remote kserve', () => {
  it.each([
    ['binary', []],
    ['JSON', ['--json-only']],
  ])('classify - scores and explains as here, with %s tensors', async (_, flags) => {
    const { url, end } = await startKserve({ name: 'trees', graph, flags })
    const champion = fixtureModel('trees')
    const local = await createOnnxClassifier({
      models: { champion, challengers: [] },
      policy: onCpu,
      features: fixtureFeatures,
      observe: observeNothing,
    })
    const classifier = await createRemoteClassifier({
      local,
      files: await readModelFolder(champion, 'champion', {
        features: fixtureFeatures,
        signatures: noSignatures,
      }),
      remote: { model: null, version: null, timeoutMs: 20_000, requestRowsMax: 500 },
      place: { url, token: null },
      observe: observeNothing,
    })
    try {
      const count = 1200
      const vectors = drawRows(await goldenOf('trees'), count, randomOf(6))
      const request = { count, vectors, reasonsFrom: 0.5 }
      const there = await classifier.classify(request)
      const here = await local.classify(request)
      expect(there.champion.provider).toBe('remote')
      expect(there.isDegraded ?? false).toBe(false)
      for (let row = 0; row < count; row++) {
        expect(Math.abs(there.scores[row]! - here.scores[row]!)).toBeLessThanOrEqual(1e-5)
      }
      expect(here.reasons.size).toBeGreaterThan(10)
      expect(there.reasons.size).toBe(here.reasons.size)
      end()
      const without = await classifier.classify(request)
      expect(without).toMatchObject({ isDegraded: true, champion: { provider: 'cpu' } })
      expect(without.scores).toEqual(here.scores)
    } finally {
      await classifier.close()
    }
  })
})
