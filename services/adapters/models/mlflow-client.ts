// Requests to an MLflow server: paths and bodies in, parsed answers and bytes out.
//
// Every request has a time-out, every answer a ceiling, every repetition a bound; only what may be done twice is
// repeated. Refused with WEIR_CLASSIFY_REGISTRY_AWAY: no answer, an answer cut short, 429 and 5xx after the
// last attempt. With WEIR_CLASSIFY_REGISTRY_REFUSED: any other answer than 2xx (with MLflow's own words), a
// redirection (credentials would travel along), more bytes than the ceiling. Invariant: credentials go into one
// header and into no message; TLS is Node's, with the authorities of NODE_EXTRA_CA_CERTS.

import { setTimeout as pause } from 'node:timers/promises'
import { WeirError } from '../../core/errors.ts'
import { limits } from '../../core/limits.ts'
import type { MlflowSettings } from '../../core/settings.ts'

export type MlflowRequest = {
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE'
  /** Below the server's address, such as /api/2.0/mlflow/runs/create. */
  readonly path: string
  readonly query?: Readonly<Record<string, string>>
  /** Bytes are sent as they are, anything else as JSON. */
  readonly body?: unknown
  /** Whether doing it twice does no harm; GET, PUT and DELETE always may be. */
  readonly isRepeatable?: boolean
  readonly bytesMax?: number
  readonly msMax?: number
}

export type MlflowClient = {
  /** The server's address, for messages and for the names of what is cached. */
  readonly url: string
  readonly ask: <T>(request: MlflowRequest) => Promise<T>
  readonly transfer: (request: MlflowRequest) => Promise<Buffer>
}

/** Shortest pause before another attempt; it doubles each time. */
const pauseMsMin = 100

export function createMlflowClient({ url, auth, token }: MlflowSettings): MlflowClient {
  const base = url.replace(/\/+$/, '')
  const headers = authorization(auth, token)
  const transfer = (request: MlflowRequest) => attemptAll(base, headers, request)
  return {
    url: base,
    transfer,
    ask: async <T>(request: MlflowRequest) => {
      const bytes = await transfer(request)
      try {
        return JSON.parse(bytes.toString()) as T
      } catch (cause) {
        throw refuse(request, 'an answer that is not JSON; is it an MLflow server?', cause)
      }
    },
  }
}

function authorization(
  auth: MlflowSettings['auth'],
  token: string | null,
): Readonly<Record<string, string>> {
  if (token !== null) return { authorization: `Bearer ${token}` }
  if (auth === null) return {}
  const login = Buffer.from(`${auth.username}:${auth.password}`).toString('base64')
  return { authorization: `Basic ${login}` }
}

async function attemptAll(
  base: string,
  headers: Readonly<Record<string, string>>,
  request: MlflowRequest,
): Promise<Buffer> {
  const isRepeatable = request.isRepeatable ?? request.method !== 'POST'
  const attempts = isRepeatable ? limits.modelRegistryAttemptsMax : 1
  for (let attempt = 1; ; attempt++) {
    try {
      return await attemptOnce(base, headers, request)
    } catch (error) {
      if (attempt >= attempts || !(error instanceof WeirError && error.canRetry)) throw error
      await pause(Math.min(pauseMsMin * 2 ** attempt, limits.retryPauseMsMax))
    }
  }
}

async function attemptOnce(
  base: string,
  headers: Readonly<Record<string, string>>,
  request: MlflowRequest,
): Promise<Buffer> {
  const { method, path, query = {}, body, msMax = limits.modelRequestMsMax } = request
  const search = new URLSearchParams(query).toString()
  const isBytes = body instanceof Uint8Array
  const type = isBytes ? 'application/octet-stream' : 'application/json'
  try {
    const response = await fetch(`${base}${path}${search === '' ? '' : `?${search}`}`, {
      method,
      redirect: 'manual',
      signal: AbortSignal.timeout(msMax),
      headers: body === undefined ? headers : { ...headers, 'content-type': type },
      ...(body === undefined ? {} : { body: isBytes ? body : JSON.stringify(body) }),
    } as RequestInit)
    const bytes = await readBounded(response, request)
    if (response.ok) return bytes
    throw refuseStatus(request, response, bytes)
  } catch (error) {
    if (error instanceof WeirError) throw error
    throw away(request, base, describeFailure(error), error)
  }
}

async function readBounded(response: Response, request: MlflowRequest): Promise<Buffer> {
  const { bytesMax = limits.modelManifestBytesMax } = request
  const parts: Uint8Array[] = []
  let size = 0
  for await (const part of response.body ?? []) {
    size += part.byteLength
    // Leaving the loop cancels the body, and with it the connection.
    if (size > bytesMax) throw refuse(request, `more than ${bytesMax} bytes`)
    parts.push(part)
  }
  return Buffer.concat(parts, size)
}

function refuseStatus(request: MlflowRequest, response: Response, bytes: Buffer): WeirError {
  const { status } = response
  if (status === 429 || status >= 500) {
    return away(request, new URL(response.url).origin, `status ${status}`)
  }
  if (status >= 300 && status < 400) {
    const to = response.headers.get('location') ?? 'elsewhere'
    return refuse(request, `a redirection to ${to}; set WEIR_MLFLOW_URL to where the server is`)
  }
  if (status === 401 || status === 403) {
    const hint = 'check WEIR_MLFLOW_USERNAME and WEIR_MLFLOW_PASSWORD, or WEIR_MLFLOW_TOKEN'
    return refuse(request, `status ${status}${sayWhy(bytes)}; ${hint}`, { status })
  }
  return refuse(request, `status ${status}${sayWhy(bytes)}`, { status })
}

const sayWhy = (bytes: Buffer): string => {
  try {
    const { error_code: code, message } = JSON.parse(bytes.toString())
    return ` (${code}: ${String(message).slice(0, 300)})`
  } catch {
    return ''
  }
}

/** fetch hides what happened in the cause: ECONNREFUSED, a certificate that is not known. */
function describeFailure(error: unknown): string {
  const { name, message, cause } = error as Error
  if (name === 'TimeoutError') return 'no whole answer in time'
  const inner = cause as NodeJS.ErrnoException | undefined
  return [message, inner?.code, inner?.message].filter(Boolean).join(': ')
}

/** Whether the server answered that there is no such thing. */
export const isMissing = (error: unknown): boolean =>
  error instanceof WeirError &&
  error.code === 'WEIR_CLASSIFY_REGISTRY_REFUSED' &&
  (error.cause as { readonly status?: number } | undefined)?.status === 404

export const isAway = (error: unknown): error is WeirError =>
  error instanceof WeirError && error.code === 'WEIR_CLASSIFY_REGISTRY_AWAY'

const refuse = ({ method, path }: MlflowRequest, found: string, cause?: unknown): WeirError =>
  new WeirError('WEIR_CLASSIFY_REGISTRY_REFUSED', `${method} ${path}: found ${found}.`, { cause })

const away = (
  { method, path }: MlflowRequest,
  base: string,
  reason: string,
  cause?: unknown,
): WeirError =>
  new WeirError('WEIR_CLASSIFY_REGISTRY_AWAY', `${method} ${base}${path}: ${reason}.`, { cause })
