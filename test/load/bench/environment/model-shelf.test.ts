// The shelf of model versions that benches and tests of rosters stand on.

import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { makeModelShelf, readPipelineFor } from '../../../../load/bench/environment/model-shelf.ts'
import { readModelFolder } from '../../../../services/adapters/models/model-files.ts'
import { noSignatures } from '../../../../services/models/manifest-signature.ts'
import { fixtureFeatures, fixtureFolder } from '../../../adapters/onnx/fixture-models.ts'
import { temporaryFolder } from '../../../support/temporary-folder.ts'

const sourceOf = (fixture: string) => join(fixtureFolder, fixture, '1')
const demands = { features: fixtureFeatures, signatures: noSignatures }

test('model shelf - lays models side by side as versions of one, and takes all of it away again', async () => {
  const folder = temporaryFolder()
  const shelf = makeModelShelf({
    folder: join(folder, 'shelf'),
    name: 'trees',
    versions: { 1: sourceOf('trees'), 2: sourceOf('challenger') },
    writePipeline: (models) => `model: { source: ${models} }\n`,
  })
  const source = join(folder, 'shelf', 'models')
  expect(readFileSync(shelf.pipelineFile, 'utf8')).toContain(source)
  const open = (version: string) =>
    readModelFolder({ name: 'trees', version, source }, 'champion', demands)
  expect((await open('2')).manifest).toMatchObject({ name: 'trees', version: '2' })
  shelf.add('3', sourceOf('trees'), (copy) => writeFileSync(join(copy, 'model.onnx'), 'spoiled'))
  await expect(open('3')).rejects.toThrow('sha-256')
  shelf.remove()
  expect(existsSync(join(folder, 'shelf'))).toBe(false)
})

test('model shelf - replaces the one line of a pipeline file that names the model', () => {
  const file = join(temporaryFolder(), 'pipeline.yaml')
  writeFileSync(file, 'pipeline: a\nmodel: { name: b }\n')
  expect(readPipelineFor(file, 'trees')('/models')).toBe(
    'pipeline: a\nmodel: { name: trees, version: "1", source: /models }\n',
  )
  writeFileSync(file, 'pipeline: a\n')
  expect(() => readPipelineFor(file, 'trees')).toThrow('no line that begins model:')
})
