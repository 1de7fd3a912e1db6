// What a graph asks for, read from its bytes before anything opens it: operator sets, other files.
//
// ONNX Runtime reads a tensor whose data lies elsewhere from the directory that the process was
// started in, and nobody hashed what lies there. All messages that can hold one are walked:
//
//   Model ─► Graph, TrainingInfo ─► Graph, Function ─► Node ─► Attribute ─► Graph, (Sparse)Tensor
//
// Refused, as an Error: bytes that are no protocol buffer or end inside a field, no operator set,
// ORT's own format, which nothing here can look into, messages nested deeper than the runtime's
// parser takes. Invariant: a tensor is found by any of its fields that names other bytes, also
// where a later one would take that back.

import { visitFields } from './protobuf-fields.ts'

type Kind = 'model' | 'training' | 'graph' | 'function' | 'node' | 'attribute' | 'sparse' | 'tensor'

/** onnx.proto: by message, the fields that lead to a tensor. */
const leads: Readonly<Record<Kind, Readonly<Record<number, Kind>>>> = {
  model: { 7: 'graph', 20: 'training', 25: 'function' },
  training: { 1: 'graph', 2: 'graph' },
  graph: { 1: 'node', 5: 'tensor', 15: 'sparse' },
  function: { 7: 'node', 11: 'attribute' },
  node: { 5: 'attribute' },
  attribute: { 5: 'tensor', 6: 'graph', 10: 'tensor', 11: 'graph', 22: 'sparse', 23: 'sparse' },
  sparse: { 1: 'tensor', 2: 'tensor' },
  tensor: {},
}
const opsetImport = 8
const tensorName = 8
const tensorExternalData = 13
const tensorDataLocation = 14

/** That of the runtime's parser; a deeper graph does not load. */
const depthMax = 100

/** Bytes 4 to 7 of ORT's own format: the runtime goes by them, whatever else the file may be. */
const ortFormat = 'ORTM'

export type GraphFacts = {
  /** Version by domain; the standard domain, whose name is empty in the file, is ai.onnx. */
  readonly opsets: ReadonlyMap<string, number>
  /** Names of tensors whose data is not in these bytes. */
  readonly externalTensors: readonly string[]
}

type Message = {
  readonly kind: Kind
  readonly from: number
  readonly to: number
  readonly depth: number
}

export function readGraph(bytes: Uint8Array): GraphFacts {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  if (text.toString('latin1', 4, 8) === ortFormat) {
    throw new Error("it is in ORT's own format, expected an ONNX file")
  }
  const opsets = new Map<string, number>()
  const externalTensors: string[] = []
  const messages: Message[] = [{ kind: 'model', from: 0, to: bytes.length, depth: 1 }]
  while (messages.length > 0) {
    const { kind, from, to, depth } = messages.pop()!
    if (depth > depthMax) throw new Error(`its messages are nested more than ${depthMax} deep`)
    if (kind === 'tensor') {
      const name = findExternalName(text, from, to)
      if (name !== null) externalTensors.push(name)
      continue
    }
    visitFields(text, from, to, (number, _, start, end) => {
      const next = leads[kind][number]
      const isMessage = end > start
      if (next !== undefined && isMessage) {
        messages.push({ kind: next, from: start, to: end, depth: depth + 1 })
      }
      if (kind === 'model' && number === opsetImport && isMessage)
        readOpset(text, start, end, opsets)
    })
  }
  if (opsets.size === 0) throw new Error('it names no operator set, so it is no ONNX file')
  return { opsets, externalTensors }
}

function readOpset(text: Buffer, from: number, to: number, opsets: Map<string, number>): void {
  let domain = ''
  let version = 0
  visitFields(text, from, to, (number, value, start, end) => {
    if (number === 1) domain = text.toString('utf8', start, end)
    if (number === 2) version = value
  })
  opsets.set(domain || 'ai.onnx', version)
}

/** The tensor's name where its data lies elsewhere; null where it is here. */
function findExternalName(text: Buffer, from: number, to: number): string | null {
  let name = ''
  let isExternal = false
  visitFields(text, from, to, (number, value, start, end) => {
    if (number === tensorName) name = text.toString('utf8', start, end)
    // 0 is "here"; any other place is one that nobody hashed.
    if (number === tensorDataLocation && value !== 0) isExternal = true
    if (number === tensorExternalData && end > start) isExternal = true
  })
  return isExternal ? name || 'a tensor without a name' : null
}
