// Whether the models can score: the table, and how they are looked at.
//
// In: the pipeline's definition. Out: verdicts. Every model is opened as the scorer opens it: files
// and hashes, feature set, golden scores, providers. A model that is refused is the system's answer
// that it does not serve, hence fatal; a preferred provider that does not run it is a warning.

import {
  fetchModels,
  openModelSource,
  readSignaturePolicy,
} from '../adapters/models/open-model-source.ts'
import { createOnnxClassifier } from '../adapters/onnx/onnx-classifier.ts'
import type { PipelineDefinition } from '../core/pipeline-definition.ts'
import type { ModelSettings } from '../core/settings.ts'
import { observeNothing, type Signal } from '../pipeline/observe/signals.ts'
import { type Check, type Examination, orOk, warning } from './finding.ts'

export type LoadedModel = Extract<Signal, { readonly kind: 'model_loaded' }>

/** Thrown: what the models' source, their signatures and the classifier refuse. */
export async function inspectModels(
  definition: PipelineDefinition,
  settings?: ModelSettings,
): Promise<LoadedModel[]> {
  const loaded: LoadedModel[] = []
  const { model } =
    settings === undefined
      ? definition
      : await fetchModels(definition, openModelSource(settings, observeNothing))
  const classifier = await createOnnxClassifier({
    models: model,
    ...(settings === undefined ? {} : { signatures: readSignaturePolicy(settings) }),
    // One worker tells what all of them would.
    policy: { ...definition.execution, workers: 1 },
    features: definition.features.map(({ name }) => name),
    observe: (signal) => {
      if (signal.kind === 'model_loaded') loaded.push(signal)
    },
  })
  await classifier.close()
  return loaded
}

const checks: readonly Check<readonly LoadedModel[]>[] = [
  {
    name: 'provider',
    why: 'a model that falls back to another provider is slower than was planned',
    worst: 'warning',
    judge: (models) => {
      const missed = models.filter(({ missedProviders }) => missedProviders !== '')
      const faults = missed.map(({ name, version, provider, missedProviders }) =>
        warning(
          `${name} ${version} runs on ${provider}: ${missedProviders}`,
          'execution.providers in the pipeline file, or install the provider',
        ),
      )
      const sound = models.map(({ name, version, provider }) => `${name} ${version} on ${provider}`)
      return orOk(faults, sound.join(', '))
    },
  },
]

export const modelExamination: Examination<readonly LoadedModel[]> = {
  system: 'model',
  reach: {
    name: 'load',
    why: "files, features and golden scores have to be the manifest's, or no scorer starts",
    change: 'model and execution in the pipeline file; publish the model again',
  },
  checks,
}
