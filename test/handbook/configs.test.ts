// The handbook's training configs fit their pipeline files and the protocol.

import { describe, expect, test } from 'vitest'
import { loadPipelineFile } from '../../services/adapters/pipeline-file/pipeline-file.ts'
import { loadTrainingConfig } from '../../training/training-config.ts'
import { repositoryPath } from '../adapters/pipeline-file/pipeline-text.ts'

describe('handbook configs', () => {
  test.each([
    ['handbook', 15],
    ['handbook-best', 26],
  ])('handbook configs - %s trains and tests on the weeks of the book', (name, features) => {
    const config = loadTrainingConfig(repositoryPath(`training/${name}.yaml`))
    const definition = loadPipelineFile(repositoryPath(`pipelines/${name}.yaml`))
    expect(config.pipeline).toBe(`pipelines/${name}.yaml`)
    expect([config.model.name, definition.model.champion.name]).toEqual([name, name])
    expect(definition.features.length).toBe(features)
    expect(config.split.train).toMatchObject({
      fromMs: Date.UTC(2018, 6, 25),
      toMs: Date.UTC(2018, 7, 1),
    })
    expect(config.split.test).toMatchObject([
      { fromMs: Date.UTC(2018, 7, 8), toMs: Date.UTC(2018, 7, 15) },
    ])
    // Nothing of the data set is shipped, a model of it included.
    expect(config.model.folder).toBeNull()
  })
})
