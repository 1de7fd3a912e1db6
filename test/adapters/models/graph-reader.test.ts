// What a graph asks for, found wherever it may stand, in bytes that nobody can be trusted to have
// made.

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { readGraph } from '../../../services/adapters/models/graph-reader.ts'
import {
  attribute,
  type Bytes,
  externalTensor,
  field,
  graph,
  join as joined,
  model,
  node,
  tensor,
  value,
} from '../../support/graph-bytes.ts'
import { tinyGraph, tinyNodes, tinyTensors } from '../../support/made-models.ts'
import { createRandom } from '../../support/random.ts'
import { fixtureFolder } from '../onnx/fixture-models.ts'

const far = externalTensor('far', 4, 'far.bin')
const near = tensor('near', [1, 2, 3, 4])

const graphWith = (nodes: readonly Bytes[], tensors: readonly Bytes[] = []): Bytes =>
  graph({ nodes, outputs: [value('p', ['n', 1])], tensors: [...tinyTensors, ...tensors] })

const within = (attributes: readonly Bytes[]): Bytes => node('Any', ['x'], ['y'], { attributes })
const listOf = (number: number, content: Bytes): Bytes =>
  joined(field(1, 'list'), field(number, content))
const sparse = (content: Bytes): Bytes => joined(field(1, content), field(2, near), field(3, 4))

/** All the ways from a model to a tensor. */
const waysTo: Readonly<Record<string, (content: Bytes) => Bytes>> = {
  'an initializer': (content) => model(graphWith([], [content])),
  'a sparse initializer': (content) => model(joined(graphWith([]), field(15, sparse(content)))),
  'the indices of a sparse initializer': (content) =>
    model(joined(graphWith([]), field(15, joined(field(1, near), field(2, content))))),
  'a constant’s attribute': (content) =>
    model(
      graphWith([node('Constant', [], ['c'], { attributes: [attribute('value', 't', content)] })]),
    ),
  'a constant’s sparse attribute': (content) =>
    model(graphWith([within([attribute('sparse_value', 'sparse', sparse(content))])])),
  'a list of tensors': (content) => model(graphWith([within([listOf(10, content)])])),
  'a list of sparse tensors': (content) =>
    model(graphWith([within([listOf(23, sparse(content))])])),
  'a branch of If': (content) =>
    model(graphWith([within([attribute('then_branch', 'g', graphWith([], [content]))])])),
  'a constant in a Loop in a branch of If': (content) => {
    const constant = within([attribute('value', 't', content)])
    const loop = node('Loop', [], [], {
      attributes: [attribute('body', 'g', graphWith([constant]))],
    })
    return model(graphWith([within([attribute('else_branch', 'g', graphWith([loop]))])]))
  },
  'a list of graphs': (content) =>
    model(graphWith([within([listOf(11, graphWith([], [content]))])])),
  'a function’s body': (content) =>
    model(graphWith([]), {
      more: [field(25, field(7, within([attribute('value', 't', content)])))],
    }),
  'a function’s default': (content) =>
    model(graphWith([]), { more: [field(25, field(11, attribute('value', 't', content)))] }),
  'how training begins': (content) =>
    model(graphWith([]), { more: [field(20, field(1, graphWith([], [content])))] }),
  'how training goes on': (content) =>
    model(graphWith([]), { more: [field(20, field(2, graphWith([], [content])))] }),
  'a second graph, which the parser adds to the first': (content) =>
    model(graphWith([]), { more: [field(7, graphWith([], [content]))] }),
}

test.each(Object.entries(waysTo))('graph reader - finds a tensor elsewhere in %s', (_, wayTo) => {
  expect(readGraph(wayTo(far)).externalTensors).toEqual(['far'])
  expect(readGraph(wayTo(near)).externalTensors).toEqual([])
})

test('graph reader - nothing takes back that a tensor lies elsewhere', () => {
  const found = (content: Bytes) => readGraph(model(graphWith([], [content]))).externalTensors
  expect(found(joined(far, field(14, 0)))).toEqual(['far'])
  expect(found(joined(field(8, 'odd'), field(14, 2)))).toEqual(['odd'])
  // 2^32 + 1, which a parser of 32 bits takes for 1, and 1 in more bytes than it needs.
  const longs = [
    [0x81, 0x80, 0x80, 0x80, 0x10],
    [0x81, 0x80, 0x80, 0x00],
  ]
  for (const long of longs) {
    expect(found(joined(field(8, 'long'), Buffer.from([14 * 8, ...long])))).toEqual(['long'])
  }
  expect(found(joined(field(14, 1)))).toEqual(['a tensor without a name'])
  expect(found(joined(field(8, 'named'), field(13, field(1, 'location'))))).toEqual(['named'])
})

test('graph reader - reads operator sets, of graphs that training made too', () => {
  const bytes = readFileSync(join(fixtureFolder, 'trees/1/model.onnx'))
  const { opsets, externalTensors } = readGraph(bytes)
  expect([...opsets]).toEqual([
    ['ai.onnx', 17],
    ['ai.onnx.ml', 3],
  ])
  expect(externalTensors).toEqual([])
})

test('graph reader - bytes that are no graph are an error', () => {
  expect(() => readGraph(new Uint8Array())).toThrow('no ONNX file')
  expect(() => readGraph(Buffer.from('MZ this is not a graph'))).toThrow()
  // The runtime goes by the four letters alone, so the rest may be as right as it likes.
  const disguised = joined(Buffer.from([0x12, 0x86, 0x00]), Buffer.from('.ORTM.'), tinyGraph())
  expect(() => readGraph(disguised)).toThrow("ORT's own format")
  const group = Buffer.from([9 * 8 + 3, 9 * 8 + 4])
  expect(() => readGraph(joined(tinyGraph(), group))).toThrow('no protocol buffer')
})

test('graph reader - a graph that is nested deeper than the parser goes is an error, not a crash', () => {
  let inner = graphWith([], [far])
  for (let depth = 0; depth < 3000; depth++) {
    inner = graph({ nodes: [within([attribute('body', 'g', inner)])], outputs: [] })
  }
  expect(() => readGraph(model(inner))).toThrow('nested more than 100 deep')
})

test('graph reader - a cut or spoiled file never hides what a whole one tells, and never crashes', () => {
  const random = createRandom(28)
  const whole = waysTo['a constant in a Loop in a branch of If']!(far)
  for (let end = 0; end < whole.length; end++) {
    const cut = whole.subarray(0, end)
    // Where the cut is between two fields of the model the rest is a model without its end.
    let facts: ReturnType<typeof readGraph> | null = null
    try {
      facts = readGraph(cut)
    } catch (error) {
      expect((error as Error).message).toMatch(/^it /)
    }
    if (facts !== null) expect(facts.externalTensors).toEqual(['far'])
  }
  for (let turn = 0; turn < 3000; turn++) {
    const spoiled = Buffer.from(whole)
    for (let n = 0; n < 3; n++)
      spoiled[random.integer(0, spoiled.length - 1)] = random.integer(0, 255)
    try {
      readGraph(spoiled)
    } catch (error) {
      expect((error as Error).message).toMatch(/^(it |its )/)
    }
  }
})

test('graph reader - takes time by the length of the file, whatever is in it', () => {
  const nodes = Array.from({ length: 20_000 }, () => within(tinyNodes('s')))
  expect(readGraph(model(graphWith(nodes))).externalTensors).toEqual([])
})
