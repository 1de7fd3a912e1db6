// The classifier port on ONNX Runtime: model references in, a running classifier out.
//
// Reads and verifies every model once, then starts the workers that open, check and attest them.
// Refused at start: what adapters/models refuses of a folder, WEIR_CLASSIFY_MODEL_REFUSED and
// WEIR_CLASSIFY_PROVIDER_REFUSED (model-session.ts); nothing is left running then. Runs and their
// failures are run-dispatcher.ts. Invariant: the models never change inside one classifier; a new
// roster is a new classifier with fresh workers, because ONNX Runtime leaks released sessions.

import { limits } from '../../core/limits.ts'
import type { ExecutionPolicy, ModelReference } from '../../core/pipeline-definition.ts'
import { noSignatures, type SignaturePolicy } from '../../models/manifest-signature.ts'
import type { FixedClassifier } from '../../pipeline/classify/classifier.ts'
import type { Observe } from '../../pipeline/observe/signals.ts'
import { readModelFolder } from '../models/model-files.ts'
import { RunDispatcher } from './run-dispatcher.ts'

type OnnxClassifierOptions = {
  readonly models: {
    readonly champion: ModelReference
    readonly challengers: readonly ModelReference[]
  }
  readonly policy: ExecutionPolicy
  /** The pipeline's feature names, in the vector's order. */
  readonly features: readonly string[]
  /** Whose signatures the models must bear; left out: nobody's. */
  readonly signatures?: SignaturePolicy
  readonly observe: Observe
}

export const createOnnxClassifier = async (
  options: OnnxClassifierOptions,
): Promise<FixedClassifier> => {
  const { models, policy, features, signatures = noSignatures, observe } = options
  const demands = { features, signatures }
  const files = [
    await readModelFolder(models.champion, 'champion', demands),
    ...(await Promise.all(
      models.challengers.map((model) => readModelFolder(model, 'challenger', demands)),
    )),
  ]
  const dispatcher = new RunDispatcher(
    { models: files, policy, rowsMax: limits.batchEventsMax },
    observe,
  )
  try {
    await dispatcher.startWorkers(policy.workers)
  } catch (error) {
    await dispatcher.close()
    throw error
  }
  return dispatcher
}
