// Models of two features whose graphs a test makes itself, in a folder as the scorer reads it.
//
// In: a graph's bytes, made with graph-bytes.ts. Out: <folder>/tiny/<version>/ with a manifest
// whose hashes are right and golden rows that the common part of all graphs (`scoreTiny`) gives, so
// that a graph is refused for what it is and not for its numbers.

import { createHash } from 'node:crypto'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { ModelReference } from '../../services/core/pipeline-definition.ts'
import { featureSetHash } from '../../services/models/manifest.ts'
import { fixtureFolder } from '../adapters/onnx/fixture-models.ts'
import {
  attribute,
  type Bytes,
  externalTensor,
  type GraphParts,
  graph,
  type ModelOptions,
  mapsValue,
  model,
  node,
  tensor,
  value,
} from './graph-bytes.ts'
import { temporaryFolder } from './temporary-folder.ts'

export const tinyFeatures = ['amount', 'customer_count_1h']

/** What the nodes of `tinyNodes` compute. */
export const scoreTiny = ([amount = 0, count = 0]: readonly number[]): number =>
  1 / (1 + Math.exp(-(0.002 * amount + 0.3 * count - 2)))

const goldenRows = Array.from({ length: 40 }, (_, row) => [12.5 * row, 1 + (row % 8)])

/** From the input x to a score by that name. */
export const tinyNodes = (output: string): Bytes[] => [
  node('Gemm', ['x', 'W', 'B'], ['z']),
  node('Sigmoid', ['z'], [output]),
]
export const tinyTensors = [tensor('W', [0.002, 0.3], { dims: [2, 1] }), tensor('B', [-2])]
const scores = value('p', ['n', 1])

export const tinyGraph = (changed: Partial<GraphParts> = {}, options: ModelOptions = {}): Bytes =>
  model(
    graph({
      nodes: tinyNodes('p'),
      inputs: [value('x', ['n', 2])],
      outputs: [scores],
      tensors: tinyTensors,
      ...changed,
    }),
    options,
  )

/** As skl2onnx exports a classifier by itself: scores in a list of maps. */
export const zippedGraph = tinyGraph(
  {
    nodes: [
      ...tinyNodes('s'),
      node('Sub', ['one', 's'], ['rest']),
      node('Concat', ['rest', 's'], ['both'], { attributes: [attribute('axis', 'i', 1)] }),
      node('ZipMap', ['both'], ['p'], {
        domain: 'ai.onnx.ml',
        attributes: [attribute('classlabels_int64s', 'ints', [0, 1])],
      }),
    ],
    outputs: [mapsValue('p')],
    tensors: [...tinyTensors, tensor('one', [1])],
  },
  { domains: { 'ai.onnx.ml': 1 } },
)

/** Amounts above 10000 score what a table of 64 numbers says; no golden row does. */
export const cappedGraph = (cap: Bytes): Bytes =>
  tinyGraph({
    nodes: [
      ...tinyNodes('s'),
      node('Slice', ['x', 'from', 'to', 'axis'], ['amount']),
      node('Greater', ['amount', 'limit'], ['isBig']),
      node('Cast', ['isBig'], ['index'], { attributes: [attribute('to', 'i', 7)] }),
      node('Gather', ['cap', 'index'], ['capped']),
      node('Where', ['isBig', 'capped', 's'], ['p']),
    ],
    tensors: [
      ...tinyTensors,
      tensor('from', [0], { type: 'int64' }),
      tensor('to', [1], { type: 'int64' }),
      tensor('axis', [1], { type: 'int64' }),
      tensor('limit', [10_000]),
      cap,
    ],
  })

export const externalCap = externalTensor('cap', 64, 'cap.bin')

const sha256Of = (bytes: Uint8Array | string) => createHash('sha256').update(bytes).digest('hex')

export type MadeModel = { readonly reference: ModelReference; readonly folder: string }

/** A folder of its own below a new one; `gpu` is a second graph. */
export function makeTinyModel(
  cpu: Bytes,
  changed: { readonly gpu?: Bytes; readonly output?: string } = {},
): MadeModel {
  const source = temporaryFolder()
  const reference = { name: 'tiny', version: '1', source }
  const folder = join(source, 'tiny', '1')
  mkdirSync(folder, { recursive: true })
  const golden = JSON.stringify({ vectors: goldenRows, scores: goldenRows.map(scoreTiny) })
  const contents = { cpu, golden, ...(changed.gpu === undefined ? {} : { gpu: changed.gpu }) }
  const names = { cpu: 'model.onnx', gpu: 'model.gpu.onnx', golden: 'golden.json' }
  const files: Record<string, unknown> = {}
  for (const [role, content] of Object.entries(contents)) {
    const path = names[role as keyof typeof names]
    writeFileSync(join(folder, path), content)
    files[role] = { path, sha256: sha256Of(content) }
  }
  const template = JSON.parse(readFileSync(join(fixtureFolder, 'trees/1/manifest.json'), 'utf8'))
  const [reference0] = template.reference.features
  const manifest = {
    ...template,
    name: 'tiny',
    input: 'x',
    output: changed.output ?? 'p',
    files,
    featureSet: { names: tinyFeatures, hash: featureSetHash(tinyFeatures) },
    reference: {
      ...template.reference,
      features: tinyFeatures.map((name) => ({ ...reference0, name, median: 1 })),
    },
  }
  writeFileSync(join(folder, 'manifest.json'), JSON.stringify(manifest))
  return { reference, folder }
}
