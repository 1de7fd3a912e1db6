// The bodies of the Open Inference Protocol v2: vectors to a request, an answer to scores.
//
//   binary request   { JSON header }[ rows x features float32, little-endian ]
//                    inference-header-content-length: bytes of the JSON header
//   json request     { JSON with the numbers in `data` }
//   answer           either of the two, whatever was asked for: each output says how it is given
//
// Pure. Refused: as WEIR_CLASSIFY_REMOTE_AWAY a status of 408, 429 or 5xx, which may pass; as
// WEIR_CLASSIFY_REMOTE_WRONG any other status, and an answer that is not these rows' probabilities
// of this output of this version: shape, datatype, sizes and range all have to be right.

import { WeirError } from '../../core/errors.ts'
import type { InferenceAnswer } from './inference-client.ts'

const tensorForms = ['binary', 'json'] as const
export type TensorForm = (typeof tensorForms)[number]

type InferCall = {
  /** Some servers fail without one. */
  readonly id: string
  readonly input: string
  readonly output: string
  /** rows x width. */
  readonly vectors: Float32Array
  readonly rows: number
  readonly width: number
}

type InferBody = {
  readonly headers: Readonly<Record<string, string>>
  readonly body: readonly Uint8Array[]
}

export function encodeInfer(call: InferCall, form: TensorForm): InferBody {
  const { id, input, output, vectors, rows, width } = call
  const isBinary = form === 'binary'
  const tensor = isBinary
    ? { parameters: { binary_data_size: vectors.byteLength } }
    : { data: Array.from(vectors) }
  const text = JSON.stringify({
    id,
    inputs: [{ name: input, shape: [rows, width], datatype: 'FP32', ...tensor }],
    outputs: [{ name: output, ...(isBinary ? { parameters: { binary_data: true } } : {}) }],
  })
  const header = Buffer.from(text)
  if (!isBinary) return { headers: { 'content-type': 'application/json' }, body: [header] }
  return {
    headers: {
      'content-type': 'application/octet-stream',
      'inference-header-content-length': String(header.length),
    },
    body: [header, Buffer.from(vectors.buffer, vectors.byteOffset, vectors.byteLength)],
  }
}

type Expected = {
  readonly output: string
  readonly rows: number
  /** As the server names it in its answers; null = any. */
  readonly version: string | null
}

/** One probability per row; of two columns the second is the fraud's. */
export function decodeScores(answer: InferenceAnswer, expected: Expected): Float32Array {
  const { document, binary } = splitAnswer(answer)
  const { model_version: version } = document
  if (expected.version !== null && typeof version === 'string' && version !== expected.version) {
    throw wrong(`version ${version} answered, expected ${expected.version}`)
  }
  const { values, columns } = readTensor(document, binary, expected)
  const scores = new Float32Array(expected.rows)
  for (let row = 0; row < scores.length; row++) {
    const score = values[row * columns + columns - 1]!
    if (!(score >= 0 && score <= 1)) throw wrong(`row ${row} scores ${score}, expected 0 to 1`)
    scores[row] = score
  }
  return scores
}

/** The JSON of an answer that is JSON only, such as metadata. */
export function decodeJson(answer: InferenceAnswer): Readonly<Record<string, unknown>> {
  refuseStatus(answer)
  return parseObject(answer.body)
}

/** A body without meaning, such as of the questions for readiness: its status is the answer. */
export function refuseStatus({ status, body }: InferenceAnswer): void {
  if (status === 200) return
  const detail = `status ${status}: ${body.subarray(0, 200).toString().replaceAll(/\s+/g, ' ')}`
  const mayPass = status >= 500 || status === 408 || status === 429
  throw mayPass ? new WeirError('WEIR_CLASSIFY_REMOTE_AWAY', detail) : wrong(detail)
}

type Document = Readonly<Record<string, unknown>>

function splitAnswer(answer: InferenceAnswer): { document: Document; binary: Buffer } {
  refuseStatus(answer)
  const { headers, body } = answer
  const written = headers['inference-header-content-length']
  if (written === undefined) return { document: parseObject(body), binary: Buffer.alloc(0) }
  const length = /^\d{1,9}$/.test(String(written)) ? Number(written) : Number.NaN
  if (!(length <= body.length)) throw wrong(`a header of ${written} bytes in ${body.length}`)
  return { document: parseObject(body.subarray(0, length)), binary: body.subarray(length) }
}

function parseObject(bytes: Buffer): Document {
  let document: unknown
  try {
    document = JSON.parse(bytes.toString())
  } catch (cause) {
    throw wrong(`the answer is not JSON: ${(cause as Error).message}`)
  }
  if (typeof document === 'object' && document !== null) return document as Document
  throw wrong('the answer is not an object')
}

type Output = {
  readonly name?: unknown
  readonly shape?: unknown
  readonly datatype?: unknown
  readonly data?: unknown
  readonly parameters?: { readonly binary_data_size?: unknown } | null
}

const bytesOf: Readonly<Record<string, number>> = { FP32: 4, FP64: 8 }

function readTensor(document: Document, binary: Buffer, { output, rows }: Expected) {
  const outputs = (Array.isArray(document.outputs) ? document.outputs : []) as readonly Output[]
  // Binary tensors follow each other in the order of the outputs that have one.
  let end = 0
  let place: Buffer | null = null
  for (const { name, parameters } of outputs) {
    const size = parameters?.binary_data_size ?? null
    if (size === null) continue
    if (typeof size !== 'number' || !(size >= 0)) throw wrong(`binary_data_size is ${size}`)
    if (name === output) place = binary.subarray(end, end + size)
    end += size
  }
  if (end !== binary.length) throw wrong(`${binary.length} bytes of tensors, expected ${end}`)
  const found = outputs.find(({ name }) => name === output)
  if (found === undefined) throw wrong(`no output ${output} in the answer`)
  const { shape, datatype } = found
  const columns = columnsOf(shape, rows)
  const isRight = columns !== null && Object.hasOwn(bytesOf, String(datatype))
  if (!isRight) {
    const got = `${datatype} ${JSON.stringify(shape)} for ${rows} rows`
    throw wrong(`${output} is ${got}, expected FP32 or FP64 of [n], [n, 1] or [n, 2]`)
  }
  const values = place === null ? readData(found) : readBinary(place, bytesOf[String(datatype)]!)
  const count = rows * columns
  if (values.length !== count) throw wrong(`${values.length} values, expected ${count}`)
  return { values, columns }
}

/** Null where the shape is not that of scores. */
function columnsOf(shape: unknown, rows: number): 1 | 2 | null {
  if (!Array.isArray(shape) || shape[0] !== rows || shape.length > 2) return null
  const columns = shape.length === 1 ? 1 : shape[1]
  return columns === 1 || columns === 2 ? columns : null
}

function readBinary(place: Buffer, width: number): ArrayLike<number> {
  // A copy of its own: views of more than one byte need an aligned start.
  const { buffer } = new Uint8Array(place)
  if (place.length % width !== 0) throw wrong(`a tensor of ${place.length} bytes`)
  return width === 4 ? new Float32Array(buffer) : new Float64Array(buffer)
}

function readData({ data }: Output): ArrayLike<number> {
  const values: unknown[] = Array.isArray(data) ? data.flat(2) : []
  const odd = values.findIndex((value) => typeof value !== 'number')
  if (odd >= 0) throw wrong(`value ${odd} is ${JSON.stringify(values[odd])}, expected a number`)
  return values as number[]
}

const wrong = (detail: string): WeirError => new WeirError('WEIR_CLASSIFY_REMOTE_WRONG', detail)
