// An inference server of the Open Inference Protocol v2 for tests, which does wrong on request.
//
// In: what the model computes, and a `misbehave` that may be set at any time. Out: its URL and what
// it was asked. It answers binary with binary and JSON with JSON, unless told otherwise. Invariant:
// it stops with its test, connections included.

import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import type { AddressInfo, Socket } from 'node:net'
import { afterEach } from 'vitest'

export type Asked = {
  readonly method: string
  readonly path: string
  readonly rows: number
  readonly isBinary: boolean
  readonly authorization: string | undefined
  readonly id: unknown
}

/** Answers in place of the server: true where it did. */
type Misbehave = (asked: Asked, response: ServerResponse) => boolean

export type FaultServer = {
  readonly url: string
  readonly asked: Asked[]
  /** Rows of the calls for scores. */
  readonly infers: () => readonly Asked[]
  readonly sockets: Set<Socket>
  misbehave: Misbehave
  score: (row: Float32Array) => number
  metadata: Record<string, unknown>
  /** Changes the JSON of an answer with scores. */
  edit: (document: Reply) => void
}

export type Reply = {
  model_version: string
  outputs?: {
    shape: number[]
    datatype: string
    parameters?: { binary_data_size: number }
    data?: number[]
  }[]
}

export const behave: Misbehave = () => false

const cleanups: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0)) await cleanup()
})

export type FaultServerOptions = {
  readonly score: (row: Float32Array) => number
  readonly features: number
  readonly tls?: { readonly key: string; readonly cert: string }
}

export async function startFaultServer(options: FaultServerOptions): Promise<FaultServer> {
  const { score, features, tls } = options
  const sockets = new Set<Socket>()
  const asked: Asked[] = []
  const server: FaultServer = {
    url: '',
    asked,
    infers: () => asked.filter(({ path }) => path.endsWith('/infer')),
    sockets,
    misbehave: behave,
    score,
    metadata: {
      name: 'trees',
      versions: ['1'],
      inputs: [{ name: 'features', datatype: 'FP32', shape: [-1, features] }],
      outputs: [{ name: 'score', datatype: 'FP32', shape: [-1, 1] }],
    },
    edit: () => undefined,
  }
  const answer = (request: IncomingMessage, response: ServerResponse) =>
    void answerOne(server, features, request, response)
  const listener = tls === undefined ? createServer(answer) : createTlsServer(tls, answer)
  listener.on('connection', (socket: Socket) => sockets.add(socket))
  await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve))
  cleanups.push(async () => {
    for (const socket of sockets) socket.destroy()
    await new Promise((resolve) => listener.close(resolve))
  })
  const { port } = listener.address() as AddressInfo
  return Object.assign(server, {
    url: `${tls === undefined ? 'http' : 'https'}://127.0.0.1:${port}`,
  })
}

async function answerOne(
  server: FaultServer,
  features: number,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const parts: Buffer[] = []
  for await (const part of request) parts.push(part as Buffer)
  const body = Buffer.concat(parts)
  const headerLength = request.headers['inference-header-content-length']
  const isBinary = headerLength !== undefined
  const end = isBinary ? Number(headerLength) : body.length
  const document = end === 0 ? {} : JSON.parse(body.subarray(0, end).toString())
  const [rows = 0] = document.inputs?.[0].shape ?? []
  const asked: Asked = {
    method: request.method!,
    path: request.url!,
    rows,
    isBinary,
    authorization: request.headers.authorization,
    id: document.id,
  }
  server.asked.push(asked)
  if (server.misbehave(asked, response)) return
  if (!asked.path.endsWith('/infer')) {
    response.end(JSON.stringify(/\/ready$/.test(asked.path) ? { ready: true } : server.metadata))
    return
  }
  const values = isBinary
    ? new Float32Array(new Uint8Array(body.subarray(end)).buffer)
    : Float32Array.from(document.inputs[0].data)
  const scores = Float32Array.from({ length: rows }, (_, row) =>
    server.score(values.subarray(row * features, (row + 1) * features)),
  )
  const bytes = Buffer.from(scores.buffer)
  const output = isBinary
    ? { parameters: { binary_data_size: bytes.length } }
    : { data: [...scores] }
  const reply: Reply & Record<string, unknown> = {
    model_name: 'trees',
    model_version: '1',
    outputs: [Object.assign(output, { name: 'score', shape: [rows, 1], datatype: 'FP32' })],
  }
  server.edit(reply)
  const header = Buffer.from(JSON.stringify(reply))
  if (isBinary) response.setHeader('inference-header-content-length', String(header.length))
  response.end(isBinary ? Buffer.concat([header, bytes]) : header)
}
