// Requests to an inference server: bytes over kept connections in, a whole answer out, or trouble.
//
// In: a path below the server's URL, a body in parts, a time. Out: status, headers and all bytes of
// the body. Thrown as WEIR_CLASSIFY_REMOTE_AWAY: no connection, a certificate that is not trusted,
// no whole answer within the time (slow bytes count), a body that ends early, one larger than the
// ceiling. Invariants: the time covers everything from connecting to the last byte; the token goes
// into the header of requests and into no message; a redirect is an answer like any other, never
// followed.

import { once } from 'node:events'
import { Agent as HttpAgent, type IncomingMessage, request as openHttp } from 'node:http'
import { Agent as HttpsAgent, request as openHttps } from 'node:https'
import { WeirError } from '../../core/errors.ts'
import { limits } from '../../core/limits.ts'

type InferenceRequest = {
  readonly method: 'GET' | 'POST'
  /** Begins with a slash, below the path of the server's URL. */
  readonly path: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: readonly Uint8Array[]
  readonly timeoutMs: number
}

export type InferenceAnswer = {
  readonly status: number
  readonly headers: IncomingMessage['headers']
  readonly body: Buffer
}

export type InferenceEnvironment = {
  readonly url: string
  /** Sent as `Authorization: Bearer`; null = none. */
  readonly token: string | null
}

export type InferenceClient = {
  readonly send: (request: InferenceRequest) => Promise<InferenceAnswer>
  readonly close: () => void
}

type Kept = HttpAgent | HttpsAgent | false

export function openInferenceClient({ url, token }: InferenceEnvironment): InferenceClient {
  const base = new URL(url)
  const isTls = base.protocol === 'https:'
  const pool = { keepAlive: true, maxSockets: limits.remoteConnectionsMax }
  const agent = isTls ? new HttpsAgent(pool) : new HttpAgent(pool)
  const open = isTls ? openHttps : openHttp
  const authorization = token === null ? {} : { authorization: `Bearer ${token}` }

  const attempt = async (wanted: InferenceRequest, over: Kept, signal: AbortSignal) => {
    const { method, path, body = [] } = wanted
    const contentLength = body.reduce((sum, part) => sum + part.byteLength, 0)
    const length = method === 'POST' ? { 'content-length': String(contentLength) } : {}
    const request = open(new URL(base.pathname.replace(/\/$/, '') + path, base), {
      method,
      agent: over,
      signal,
      headers: { ...wanted.headers, ...length, ...authorization },
    })
    // Trouble is met below; a socket that breaks after the last byte is nobody's.
    request.on('error', () => undefined)
    for (const part of body) request.write(part)
    request.end()
    try {
      const [response] = (await once(request, 'response')) as [IncomingMessage]
      const { statusCode: status = 0, headers } = response
      return { status, headers, body: await readWhole(response) }
    } catch (error) {
      throw request.reusedSocket && over !== false ? new StaleConnection(error) : error
    }
  }

  const send = async (wanted: InferenceRequest): Promise<InferenceAnswer> => {
    const signal = AbortSignal.timeout(wanted.timeoutMs)
    try {
      return await attempt(wanted, agent, signal).catch((error: unknown) => {
        if (!(error instanceof StaleConnection) || signal.aborted) throw error
        return attempt(wanted, false, signal)
      })
    } catch (error) {
      const cause = error instanceof StaleConnection ? error.cause : error
      const reason = signal.aborted
        ? `no whole answer within ${wanted.timeoutMs} ms`
        : describeTrouble(cause)
      const detail = `${wanted.method} ${wanted.path} at ${base.origin}: ${reason}`
      throw new WeirError('WEIR_CLASSIFY_REMOTE_AWAY', detail, { cause })
    }
  }
  return { send, close: () => agent.destroy() }
}

/**
 * A kept connection that broke: the server may have closed it just as it was used again. Scoring
 * the same rows twice does no harm, so one more attempt is made on a connection of its own.
 */
class StaleConnection extends Error {
  constructor(cause: unknown) {
    super('a kept connection broke', { cause })
  }
}

async function readWhole(response: IncomingMessage): Promise<Buffer> {
  const parts: Buffer[] = []
  let size = 0
  for await (const part of response as AsyncIterable<Buffer>) {
    size += part.length
    if (size > limits.remoteAnswerBytesMax) {
      // Leaving the loop destroys the response and its socket.
      throw new Error(`an answer of more than ${limits.remoteAnswerBytesMax} bytes`)
    }
    parts.push(part)
  }
  return Buffer.concat(parts)
}

/** Several addresses that all refused come as one error without a message of its own. */
function describeTrouble(error: unknown): string {
  if (error instanceof AggregateError) return error.errors.map(describeTrouble).join('; ')
  return (error as Error).message
}
