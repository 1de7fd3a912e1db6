// A model as Triton's model repository wants it: config.pbtxt in words.
//
// In: the manifest, the shape of its scores, how many instances. Out: the text. Pure.
// Invariant: names, width and datatype are the manifest's, so that `execution.remote` finds what it
// examines; the largest batch is that of its largest request.

import type { ModelManifest } from '../../models/manifest.ts'
import { remoteDefaults } from '../pipeline-file/pipeline-sections.ts'

export type TritonInstance = { readonly kind: 'cpu' | 'gpu'; readonly count: number }

type TritonModel = {
  readonly manifest: ModelManifest
  readonly sha256: string
  /** Columns of the scores; 0 where they are a plain list. */
  readonly columns: 0 | 1 | 2
  readonly instance: TritonInstance
}

/** Gathering longer would cost each batch more than a fuller run saves. */
const queueDelayMicroseconds = 500

export function writeTritonConfig({ manifest, sha256, columns, instance }: TritonModel): string {
  const { name, version, input, output, featureSet } = manifest
  const scores = columns === 0 ? 'dims: [ 1 ]\n    reshape { shape: [ ] }' : `dims: [ ${columns} ]`
  return `name: ${quote(name)}
backend: "onnxruntime"
default_model_filename: "model.onnx"
max_batch_size: ${remoteDefaults.requestRows}
input [
  {
    name: ${quote(input)}
    data_type: TYPE_FP32
    dims: [ ${featureSet.names.length} ]
  }
]
output [
  {
    name: ${quote(output)}
    data_type: TYPE_FP32
    ${scores}
  }
]
instance_group [
  {
    kind: KIND_${instance.kind.toUpperCase()}
    count: ${instance.count}
  }
]
dynamic_batching {
  preferred_batch_size: [ 1024, 4096, ${remoteDefaults.requestRows} ]
  max_queue_delay_microseconds: ${queueDelayMicroseconds}
}
parameters { key: "weir_version" value { string_value: ${quote(version)} } }
parameters { key: "weir_sha256" value { string_value: ${quote(sha256)} } }
parameters { key: "weir_feature_set" value { string_value: ${quote(featureSet.hash)} } }
`
}

/** JSON's escapes of these texts are those of a text format as well. */
const quote = (text: string): string => JSON.stringify(text)
