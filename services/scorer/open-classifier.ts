// The classifier that the pipeline file asks for: here, or at an inference server with this one behind.
//
// In: the definition, the place, who observes. Out: a running classifier. Thrown: what the adapters
// refuse; WEIR_SETTINGS_INVALID where `execution.remote` has no WEIR_INFERENCE_URL. Nothing is left
// running then.

import { createRemoteClassifier } from '../adapters/inference/remote-classifier.ts'
import { readModelFolder } from '../adapters/onnx/model-folder.ts'
import { createOnnxClassifier, type OnnxClassifier } from '../adapters/onnx/onnx-classifier.ts'
import { WeirError } from '../core/errors.ts'
import type { PipelineDefinition } from '../core/pipeline-definition.ts'
import type { Settings } from '../core/settings.ts'
import type { Observe } from '../pipeline/observe/happenings.ts'

export async function openClassifier(
  definition: PipelineDefinition,
  { inference: { url, token } }: Pick<Settings, 'inference'>,
  observe: Observe,
): Promise<OnnxClassifier> {
  const { model: models, execution: policy } = definition
  const features = definition.features.map(({ name }) => name)
  const openLocal = () => createOnnxClassifier({ models, policy, features, observe })
  const { remote } = policy
  if (remote === undefined) return openLocal()
  if (url === null) {
    const detail =
      '1 fault:\nWEIR_INFERENCE_URL  found nothing, expected the server of execution.remote'
    throw new WeirError('WEIR_SETTINGS_INVALID', detail)
  }
  const files = await readModelFolder(models.champion, 'champion', features)
  const local = await openLocal()
  return createRemoteClassifier({ local, files, remote, place: { url, token }, observe })
}
