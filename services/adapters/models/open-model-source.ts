// From settings to the model source port, and from a pipeline's references to folders on this disk.
//
// In: settings, a definition. Out: a definition whose models are exact versions in folders. Refused
// with WEIR_SETTINGS_INVALID: a model of a registry without WEIR_MLFLOW_URL, a key file that holds
// no Ed25519 public key. Invariant: a model in a folder stays where it is, and needs neither server
// nor cache.

import { createPublicKey } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { WeirError } from '../../core/errors.ts'
import { mlflowSource, type PipelineDefinition } from '../../core/pipeline-definition.ts'
import type { ModelSettings } from '../../core/settings.ts'
import { keyIdOf, type SignaturePolicy } from '../../models/manifest-signature.ts'
import type { ModelSource } from '../../models/model-source.ts'
import type { Observe } from '../../pipeline/observe/signals.ts'
import { createMlflowClient } from './mlflow-client.ts'
import { createMlflowSource } from './mlflow-source.ts'
import { createModelCache } from './model-cache.ts'

export function openModelSource(settings: ModelSettings, observe: Observe): ModelSource {
  const { mlflow, cache } = settings
  const signatures = readSignaturePolicy(settings)
  const registry =
    mlflow === null
      ? null
      : createMlflowSource({
          client: createMlflowClient(mlflow),
          cache: createModelCache(cache),
          signatures,
          observe,
        })
  return {
    fetch: async (reference) => {
      if (reference.source !== mlflowSource) return reference
      if (registry !== null) return registry.fetch(reference)
      const what = `${reference.name} ${reference.version} is in an MLflow registry`
      throw new WeirError('WEIR_SETTINGS_INVALID', `WEIR_MLFLOW_URL  found nothing, but ${what}.`)
    },
  }
}

/** The definition with every model in a folder here; aliases have become versions. */
export async function fetchModels(
  definition: PipelineDefinition,
  source: ModelSource,
): Promise<PipelineDefinition> {
  const champion = await source.fetch(definition.model.champion)
  const challengers = []
  // One after the other: the champion's download is not slowed, and refusals come in order.
  for (const challenger of definition.model.challengers) {
    challengers.push(await source.fetch(challenger))
  }
  return { ...definition, model: { champion, challengers } }
}

export function readSignaturePolicy({ signatures }: ModelSettings): SignaturePolicy {
  const keys = signatures.keyFiles.map((file) => {
    const key = readPublicKey(file)
    return [keyIdOf(key), key] as const
  })
  return { keys: new Map(keys), isRequired: signatures.isRequired }
}

function readPublicKey(file: string) {
  let found: string
  try {
    const key = createPublicKey(readFileSync(file))
    if (key.asymmetricKeyType === 'ed25519') return key
    found = `a key of the kind ${key.asymmetricKeyType}`
  } catch (error) {
    found = (error as Error).message
  }
  const expected = 'an Ed25519 public key in a PEM file'
  throw new WeirError(
    'WEIR_SETTINGS_INVALID',
    `WEIR_MODEL_KEYS  ${file}: ${found}, expected ${expected}.`,
  )
}
