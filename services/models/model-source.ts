// The port to wherever models are kept: a reference of the pipeline file in, a folder with that
// model out.
//
// Implemented by adapters/models: a folder as it is, and an MLflow server with a cache. Refused:
// what the place does not have or does not give (WEIR_CLASSIFY_REGISTRY_REFUSED), a place that does
// not answer while nothing is cached (WEIR_CLASSIFY_REGISTRY_AWAY). Invariant: the reference that
// comes back is exact: a folder, and a version instead of an alias; whoever opens it checks its
// hashes again.

import type { ModelReference } from '../core/pipeline-definition.ts'

export type ModelSource = {
  readonly fetch: (reference: ModelReference) => Promise<ModelReference>
}
