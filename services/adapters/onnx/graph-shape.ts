// What a graph says of its tensors, for those who serve it elsewhere.
//
// In: a model's verified files and which of its graphs. Out: how many columns its scores have, 0
// for a plain list. Refused with WEIR_CLASSIFY_MODEL_REFUSED: a graph that does not load, that
// lacks the manifest's output, or whose output is no tensor (ZipMap), or neither [n], [n, 1] nor
// [n, 2].

import { WeirError } from '../../core/errors.ts'
import type { Graph, ModelFiles } from '../models/model-files.ts'
import { describeNoTensor, openGraph } from './open-graph.ts'

export async function readOutputColumns(
  { manifest }: ModelFiles,
  graph: Graph,
): Promise<0 | 1 | 2> {
  const refuse = (detail: string, cause?: unknown) =>
    new WeirError(
      'WEIR_CLASSIFY_MODEL_REFUSED',
      `${manifest.name} ${manifest.version}: ${detail}`,
      {
        cause,
      },
    )
  const session = await openGraph(graph, manifest, { intraOpNumThreads: 1 }).catch(
    (cause: Error) => {
      if (cause instanceof WeirError) throw cause
      throw refuse(`the graph does not load: ${cause.message}`, cause)
    },
  )
  const noTensor = describeNoTensor(session, manifest.output)
  if (noTensor !== null) throw refuse(noTensor)
  const output = session.outputMetadata.find(({ name }) => name === manifest.output)
  if (output === undefined || !output.isTensor) throw refuse(`no output ${manifest.output}`)
  const { shape } = output
  if (shape.length === 1) return 0
  const columns = shape[1]
  if (shape.length === 2 && (columns === 1 || columns === 2)) return columns
  throw refuse(`output ${manifest.output} is [${shape}], expected [n], [n, 1] or [n, 2]`)
}
