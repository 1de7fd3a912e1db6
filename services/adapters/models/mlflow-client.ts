// Requests to an MLflow server: paths and bodies in, parsed answers and bytes out.
//
// Every request has a time-out, every answer a ceiling, every repetition a bound; only what may be
// done twice is repeated. Refused with WEIR_CLASSIFY_REGISTRY_AWAY: no answer, an answer cut short,
// 429 and 5xx after the last attempt. With WEIR_CLASSIFY_REGISTRY_REFUSED: any other answer than
// 2xx (with MLflow's own words), a redirection (credentials would travel along), more bytes than
// the ceiling. Invariant: credentials go into one header and into no message, also where the server
// echoes them.

import { setTimeout as pause } from 'node:timers/promises'
import { WeirError } from '../../core/errors.ts'
import { limits } from '../../core/limits.ts'
import type { MlflowSettings } from '../../core/settings.ts'
import { describeTrouble, type Exchange, openTransport, type Reply } from './mlflow-transport.ts'

type MlflowRequest = {
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

/** What every attempt needs to know of the place. */
type Place = {
  readonly base: string
  readonly send: (exchange: Exchange) => Promise<Reply>
  readonly headers: Readonly<Record<string, string>>
  /** The settings that hold the login, for messages. */
  readonly login: string
  /** Takes secrets out of a text of the server's: it may echo what it was sent. */
  readonly redact: (text: string) => string
}

export function createMlflowClient(settings: MlflowSettings): MlflowClient {
  const place: Place = {
    base: settings.url.replace(/\/+$/, ''),
    send: openTransport(settings.caFile),
    ...describeLogin(settings),
  }
  const transfer = (request: MlflowRequest) => attemptAll(place, request)
  return {
    url: place.base,
    transfer,
    ask: async <T>(request: MlflowRequest) => {
      const bytes = await transfer(request)
      try {
        return JSON.parse(bytes.toString()) as T
      } catch {
        throw refuse(request, 'an answer that is not JSON; is it an MLflow server?')
      }
    },
  }
}

function describeLogin({
  auth,
  token,
}: MlflowSettings): Pick<Place, 'headers' | 'login' | 'redact'> {
  if (token !== null) {
    const headers = { authorization: `Bearer ${token}` }
    return { headers, login: 'WEIR_MLFLOW_TOKEN', redact: hiding(token) }
  }
  if (auth === null) return { headers: {}, login: '', redact: (text) => text }
  const basic = Buffer.from(`${auth.username}:${auth.password}`).toString('base64')
  return {
    headers: { authorization: `Basic ${basic}` },
    login: 'WEIR_MLFLOW_USERNAME and WEIR_MLFLOW_PASSWORD',
    redact: hiding(basic, auth.password),
  }
}

const hiding =
  (...secrets: readonly string[]) =>
  (text: string): string =>
    secrets.reduce((shown, secret) => shown.replaceAll(secret, '[redacted]'), text)

async function attemptAll(place: Place, request: MlflowRequest): Promise<Buffer> {
  const isRepeatable = request.isRepeatable ?? request.method !== 'POST'
  const attempts = isRepeatable ? limits.modelRegistryAttemptsMax : 1
  for (let attempt = 1; ; attempt++) {
    try {
      return await attemptOnce(place, request)
    } catch (error) {
      if (attempt >= attempts || !(error instanceof WeirError && error.canRetry)) throw error
      await pause(Math.min(pauseMsMin * 2 ** attempt, limits.retryPauseMsMax))
    }
  }
}

async function attemptOnce(place: Place, request: MlflowRequest): Promise<Buffer> {
  const { base, send, headers } = place
  const { method, path, query = {}, body, msMax = limits.modelRequestMsMax } = request
  const { bytesMax = limits.modelManifestBytesMax } = request
  const search = new URLSearchParams(query).toString()
  const isBytes = body instanceof Uint8Array
  const type = isBytes ? 'application/octet-stream' : 'application/json'
  const exchange = {
    method,
    url: new URL(`${base}${path}${search === '' ? '' : `?${search}`}`),
    headers: body === undefined ? headers : { ...headers, 'content-type': type },
    body: body === undefined ? null : isBytes ? body : JSON.stringify(body),
    bytesMax,
    msMax,
  }
  const reply = await send(exchange).catch((error: unknown) => {
    throw away(request, base, describeTrouble(error), error)
  })
  const { status, bytes } = reply
  if (status < 200 || status > 299) throw refuseStatus(place, request, reply)
  if (bytes === null) throw refuse(request, `more than ${bytesMax} bytes`)
  return bytes
}

function refuseStatus(place: Place, request: MlflowRequest, { status, headers, bytes }: Reply) {
  const { base, login, redact } = place
  if (status === 429 || status >= 500) return away(request, base, `status ${status}`)
  if (status >= 300 && status < 400) {
    const to = redact(headers.location ?? 'elsewhere')
    return refuse(request, `a redirection to ${to}; set WEIR_MLFLOW_URL to where the server is`)
  }
  const found = `status ${status}${redact(sayWhy(bytes))}`
  if (status === 401) {
    const hint = login === '' ? 'set WEIR_MLFLOW_USERNAME and WEIR_MLFLOW_PASSWORD, or' : 'check'
    return refuse(request, `${found}; ${hint} ${login || 'WEIR_MLFLOW_TOKEN'}`, { status })
  }
  if (status === 403) {
    const who =
      login === '' ? 'a request without WEIR_MLFLOW_ credentials' : `the login of ${login}`
    return refuse(request, `${found}; expected that ${who} may do this`, { status })
  }
  return refuse(request, found, { status })
}

/** MLflow's own words: JSON, or a line of text; a page for a browser tells nothing here. */
function sayWhy(bytes: Buffer | null): string {
  const text = bytes?.toString().trim() ?? ''
  try {
    const { error_code: code, message } = JSON.parse(text)
    return message === undefined ? '' : ` (${code}: ${String(message).slice(0, 300)})`
  } catch {
    return text === '' || text.startsWith('<') ? '' : ` (${text.slice(0, 300)})`
  }
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
