// The scorer's classifier: an inference server that has no place is refused before anything is
// opened.

import { expect, test } from 'vitest'
import { readPipelineText } from '../../../services/adapters/pipeline-file/pipeline-file.ts'
import { observeNothing } from '../../../services/pipeline/observe/signals.ts'
import { openClassifier } from '../../../services/scorer/classifiers/open-classifier.ts'
import { soundText } from '../../adapters/pipeline-file/pipeline-text.ts'

test('open classifier - refuses execution.remote without WEIR_INFERENCE_URL', async () => {
  const { definition } = readPipelineText(`${soundText}execution: { remote: {} }\n`)
  const models = {
    mlflow: null,
    cache: { folder: '.weir/model-cache', bytesMax: 1 },
    signatures: { keyFiles: [], isRequired: false },
  }
  const place = { inference: { url: null, token: null }, models }
  const opening = openClassifier(definition!, place, observeNothing)
  await expect(opening).rejects.toMatchObject({ code: 'WEIR_SETTINGS_INVALID' })
  await expect(opening).rejects.toThrow(/WEIR_INFERENCE_URL {2}found nothing/)
})

test('open classifier - takes what the pipeline file says of the server', () => {
  const remoteOf = (text: string) =>
    readPipelineText(`${soundText}execution: { remote: ${text} }\n`).definition!.execution.remote
  expect(remoteOf('{}')).toEqual({
    model: null,
    version: null,
    timeoutMs: 250,
    requestRowsMax: 8192,
  })
  expect(remoteOf('{ model: m, version: "3", timeout: 2s, requestRows: 100 }')).toEqual({
    model: 'm',
    version: '3',
    timeoutMs: 2000,
    requestRowsMax: 100,
  })
  expect(readPipelineText(soundText).definition!.execution).not.toHaveProperty('remote')
})
