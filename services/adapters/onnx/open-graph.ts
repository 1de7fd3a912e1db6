// The one place that gives a graph to ONNX Runtime.
//
// In: a graph's bytes, options of the session, the output that is asked for. Out: the session.
// Refused: a graph whose tensors lie in other files (WEIR_CLASSIFY_EXTERNAL_DATA), whoever read it
// and however it came here; an output that is a map or a sequence, which this binding cannot read.
// Invariant: the runtime opens no file for a graph.

import { InferenceSession } from 'onnxruntime-node'
import type { ModelManifest } from '../../models/manifest.ts'
import type { Graph } from '../models/model-files.ts'
import { readWholeGraph } from '../models/model-folder.ts'

export async function openGraph(
  graph: Graph,
  { name, version }: Pick<ModelManifest, 'name' | 'version'>,
  options: InferenceSession.SessionOptions,
): Promise<InferenceSession> {
  readWholeGraph(`${name} ${version}`, graph.bytes)
  return await InferenceSession.create(graph.bytes, options)
}

/** Why the output holds no tensor; null where it does, or where there is none of that name. */
export function describeNoTensor(session: InferenceSession, output: string): string | null {
  const found = session.outputMetadata.find(({ name }) => name === output)
  if (found === undefined || found.isTensor) return null
  return (
    `output ${output} is a map or a sequence, as ZipMap makes it, expected a tensor: ` +
    'export with zipmap=False (options={"zipmap": False} of skl2onnx, zipmap=False of onnxmltools)'
  )
}
