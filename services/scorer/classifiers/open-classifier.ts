// The classifier that the pipeline file asks for: here, or at an inference server with this one
// behind.
//
// In: the definition, the place, who observes. Out: a running classifier; models of a registry have
// been fetched. Thrown: what the adapters refuse; WEIR_SETTINGS_INVALID where `execution.remote`
// has no WEIR_INFERENCE_URL. Nothing is left running then.

import { createRemoteClassifier } from '../../adapters/inference/remote-classifier.ts'
import { readModelFolder } from '../../adapters/models/model-files.ts'
import {
  fetchModels,
  openModelSource,
  readSignaturePolicy,
} from '../../adapters/models/open-model-source.ts'
import { createOnnxClassifier } from '../../adapters/onnx/onnx-classifier.ts'
import { WeirError } from '../../core/errors.ts'
import type { PipelineDefinition } from '../../core/pipeline-definition.ts'
import type { Settings } from '../../core/settings.ts'
import type { FixedClassifier } from '../../pipeline/classify/classifier.ts'
import type { Observe } from '../../pipeline/observe/signals.ts'

export async function openClassifier(
  definition: PipelineDefinition,
  { inference: { url, token }, models: place }: Pick<Settings, 'inference' | 'models'>,
  observe: Observe,
): Promise<FixedClassifier> {
  const { remote } = definition.execution
  if (remote !== undefined && url === null) {
    const detail =
      '1 fault:\nWEIR_INFERENCE_URL  found nothing, expected the server of execution.remote'
    throw new WeirError('WEIR_SETTINGS_INVALID', detail)
  }
  const features = definition.features.map(({ name }) => name)
  const signatures = readSignaturePolicy(place)
  const { model: models } = await fetchModels(definition, openModelSource(place, observe))
  const policy = definition.execution
  const openLocal = () => createOnnxClassifier({ models, policy, features, signatures, observe })
  if (remote === undefined || url === null) return openLocal()
  const files = await readModelFolder(models.champion, 'champion', { features, signatures })
  const local = await openLocal()
  return createRemoteClassifier({ local, files, remote, place: { url, token }, observe })
}
