// One exchange with an MLflow server over HTTP or TLS: a request in, status and all bytes of the
// answer out.
//
// In: where to, headers, a body, a time and a ceiling; of the place the file of an own authority.
// Thrown: what Node says of a connection or a certificate, in the words of `describeTrouble`, which
// names the setting to change. Refused with WEIR_SETTINGS_INVALID: an authority's file that holds
// no certificates. Invariants: the time covers everything from connecting to the last byte; a
// redirection is an answer like any other, never followed; a certificate is always checked, against
// Node's authorities and the own one.

import { X509Certificate } from 'node:crypto'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { type IncomingMessage, request as openHttp } from 'node:http'
import { Agent, request as openHttps } from 'node:https'
import { getCACertificates } from 'node:tls'
import { WeirError } from '../../core/errors.ts'

export type Exchange = {
  readonly method: string
  readonly url: URL
  readonly headers: Readonly<Record<string, string>>
  readonly body: string | Uint8Array | null
  readonly bytesMax: number
  readonly msMax: number
}

export type Reply = {
  readonly status: number
  readonly headers: IncomingMessage['headers']
  /** null where there were more than `bytesMax`. */
  readonly bytes: Buffer | null
}

/** @param caFile certificates of an authority of one's own, PEM; null = Node's alone. */
export function openTransport(caFile: string | null): (exchange: Exchange) => Promise<Reply> {
  // Connections are not kept: a scorer asks a few times at its start, and a kept one may break in a
  // POST.
  const own = caFile === null ? {} : { agent: new Agent({ ca: readAuthorities(caFile) }) }
  return async ({ method, url, headers, body, bytesMax, msMax }) => {
    const signal = AbortSignal.timeout(msMax)
    const request =
      url.protocol === 'https:'
        ? openHttps(url, { method, headers, signal, ...own })
        : openHttp(url, { method, headers, signal })
    // Trouble is met below; a socket that breaks after the last byte is nobody's.
    request.on('error', () => undefined)
    request.end(body ?? undefined)
    try {
      const [response] = (await once(request, 'response')) as [IncomingMessage]
      const { statusCode: status = 0, headers } = response
      return { status, headers, bytes: await readBounded(response, bytesMax) }
    } catch (error) {
      throw signal.aborted ? new Error(`no whole answer within ${msMax} ms`) : error
    }
  }
}

async function readBounded(response: IncomingMessage, bytesMax: number): Promise<Buffer | null> {
  const parts: Buffer[] = []
  let size = 0
  for await (const part of response as AsyncIterable<Buffer>) {
    size += part.length
    // Leaving the loop destroys the response and its socket.
    if (size > bytesMax) return null
    parts.push(part)
  }
  return Buffer.concat(parts, size)
}

/** Those that Node trusts anyway (with NODE_EXTRA_CA_CERTS), and the file's. */
function readAuthorities(file: string): string[] {
  let found = 'no certificate'
  try {
    const own = readFileSync(file, 'utf8').match(pemPattern) ?? []
    for (const certificate of own) new X509Certificate(certificate)
    if (own.length > 0) return [...getCACertificates('default'), ...own]
  } catch (error) {
    found = (error as Error).message
  }
  const expected = 'expected certificates of an authority in a PEM file'
  throw new WeirError(
    'WEIR_SETTINGS_INVALID',
    `WEIR_MLFLOW_CA  ${file}: found ${found}, ${expected}.`,
  )
}

const pemPattern = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g

/** What to do about trouble whose code tells that a setting is wrong. */
const hints: Readonly<Record<string, string>> = {
  SELF_SIGNED_CERT_IN_CHAIN: 'set WEIR_MLFLOW_CA to its authority',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'set WEIR_MLFLOW_CA to it',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: 'set WEIR_MLFLOW_CA to its authority',
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: 'set WEIR_MLFLOW_CA to its authority',
  CERT_SIGNATURE_FAILURE: 'set WEIR_MLFLOW_CA to its authority',
  ERR_TLS_CERT_ALTNAME_INVALID: 'set WEIR_MLFLOW_URL to a name of the certificate',
  ERR_SSL_WRONG_VERSION_NUMBER: 'the server speaks no TLS, check https in WEIR_MLFLOW_URL',
  ERR_SSL_PACKET_LENGTH_TOO_LONG: 'the server speaks no TLS, check https in WEIR_MLFLOW_URL',
}

/** Several addresses that all refused come as one error without a message of its own. */
export function describeTrouble(error: unknown): string {
  if (error instanceof AggregateError) return error.errors.map(describeTrouble).join('; ')
  const { message, code } = error as NodeJS.ErrnoException
  const hint = code === undefined ? undefined : hints[code]
  return hint === undefined ? message : `${message} (${code}); ${hint}`
}
