// `weir models export`: what it writes is parsed as Triton would, and what it must not change it
// leaves.

import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { exportToTriton } from '../../services/cli/models-export-command.ts'
import { fixtureFolder, manifestOf, shippedFolder } from '../adapters/onnx/fixture-models.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'

type Message = { [field: string]: Value[] }
type Value = string | number | Message

/** Protocol buffers' text format, as far as a configuration uses it: every field is a list. */
function parseText(text: string): Message {
  const tokens = [
    ...text.matchAll(/"(?:[^"\\]|\\.)*"|[A-Za-z_]\w*|-?\d+(?:\.\d+)?|[{}[\]:,]/g),
  ].map(([token]) => token)
  expect(tokens.join('')).toBe(text.replaceAll(/\s/g, ''))
  let at = 0
  const value = (): Value => {
    const token = tokens[at++]!
    if (token === '{') return message('}')
    if (token.startsWith('"')) return JSON.parse(token) as string
    return /^-?\d/.test(token) ? Number(token) : token
  }
  const values = (): Value[] => {
    if (tokens[at] === ':') at++
    if (tokens[at] !== '[') return [value()]
    const found: Value[] = []
    for (at++; tokens[at] !== ']'; ) {
      found.push(value())
      if (tokens[at] === ',') at++
    }
    at++
    return found
  }
  const message = (end: string | undefined): Message => {
    const fields: Message = {}
    for (; tokens[at] !== end; ) {
      const name = tokens[at++]!
      fields[name] = [...(fields[name] ?? []), ...values()]
    }
    at++
    return fields
  }
  return message(undefined)
}

const readConfig = (folder: string, name: string): Message =>
  parseText(readFileSync(join(folder, name, 'config.pbtxt'), 'utf8'))

const trees = join(fixtureFolder, 'trees', '1')
const plain = { graph: 'cpu', instances: 1 } as const

test('models export - writes a repository that says what the manifest says', async () => {
  const triton = temporaryFolder()
  const manifest = await manifestOf('trees')
  const written = await exportToTriton(trees, { ...plain, triton, instances: 2 })
  expect(written).toBe(join(triton, 'trees', '1'))
  expect(readFileSync(join(written, 'model.onnx'))).toEqual(
    readFileSync(join(trees, manifest.files.cpu.path)),
  )
  expect(readConfig(triton, 'trees')).toEqual({
    name: ['trees'],
    backend: ['onnxruntime'],
    default_model_filename: ['model.onnx'],
    max_batch_size: [8192],
    input: [{ name: [manifest.input], data_type: ['TYPE_FP32'], dims: [4] }],
    output: [{ name: [manifest.output], data_type: ['TYPE_FP32'], dims: [1] }],
    instance_group: [{ kind: ['KIND_CPU'], count: [2] }],
    dynamic_batching: [
      { preferred_batch_size: [1024, 4096, 8192], max_queue_delay_microseconds: [500] },
    ],
    parameters: [
      { key: ['weir_version'], value: [{ string_value: ['1'] }] },
      { key: ['weir_sha256'], value: [{ string_value: [manifest.files.cpu.sha256] }] },
      { key: ['weir_feature_set'], value: [{ string_value: [manifest.featureSet.hash] }] },
    ],
  })
})

test('models export - takes the gpu graph, a number of its own, and two columns', async () => {
  const triton = temporaryFolder()
  const model = join(shippedFolder, 'card-fraud', '1')
  const written = await exportToTriton(model, { ...plain, triton, graph: 'gpu', tritonVersion: 7 })
  const manifest = await manifestOf('card-fraud', shippedFolder)
  expect(written).toBe(join(triton, 'card-fraud', '7'))
  expect(readFileSync(join(written, 'model.onnx'))).toEqual(
    readFileSync(join(model, manifest.files.gpu.path)),
  )
  expect(readConfig(triton, 'card-fraud').instance_group).toEqual([
    { kind: ['KIND_GPU'], count: [1] },
  ])
  await exportToTriton(join(fixtureFolder, 'pair', '1'), { ...plain, triton })
  expect(readConfig(triton, 'pair').output).toMatchObject([{ dims: [2] }])
})

test('models export - writes the same again, and never another graph over a version', async () => {
  const triton = temporaryFolder()
  const written = await exportToTriton(trees, { ...plain, triton })
  expect(await exportToTriton(trees, { ...plain, triton })).toBe(written)
  writeFileSync(join(written, 'model.onnx'), 'another')
  await expect(exportToTriton(trees, { ...plain, triton })).rejects.toThrow(/a version is final/)
  expect(readFileSync(join(written, 'model.onnx'), 'utf8')).toBe('another')
})
