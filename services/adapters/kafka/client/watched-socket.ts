// Connections to brokers that are given up when they fall silent.
//
// kafkajs fails a request without an answer, and keeps the connection: where the far side has
// forgotten it (a NAT table, a load balancer, a host that died), every later request waits in vain,
// too, for minutes. In: what kafkajs asks of a socket. Out: a socket that ends with an error when
// nothing at all was heard while requests were open; kafkajs then connects anew. Where there is a
// watch it hears of answers, and of sockets that failed. Invariant: an idle connection is never
// ended, nor one that still brings anything; a process that was stopped itself for a while counts
// as one moment, not as silence.
//
//   request    size i32 | body      one write each
//   answer     size i32 | body      in any pieces

import { connect, isIP, type Socket } from 'node:net'
import { connect as connectSecurely } from 'node:tls'
import type { ISocketFactory } from 'kafkajs'
import type { BrokerWatch } from './broker-watch.ts'

/** Looks at silence so often before giving up. */
const LOOKS = 10
const KEEP_ALIVE_MS = 60_000

type SocketWatching = {
  readonly watch: BrokerWatch
  /** Answers of a new connection that only lead to its login: they prove nothing. */
  readonly greetings: number
  /** kafkajs gives a connection up after this long, and tells nobody. */
  readonly connectMsMax: number
}

export const createSocketFactory =
  (silenceMsMax: number, watching?: SocketWatching): ISocketFactory =>
  ({ host, port, ssl, onConnect }) => {
    const servername = isIP(host) === 0 ? { servername: host } : {}
    const socket = ssl
      ? connectSecurely({ host, port, ...servername, ...ssl }, onConnect)
      : connect({ host, port }, onConnect)
    socket.setKeepAlive(true, KEEP_ALIVE_MS)
    const requests = countRequests(socket, watching)
    endWhenSilent(socket, requests, silenceMsMax)
    if (watching !== undefined) {
      const address = `${host}:${port}`
      tellFailures(socket, requests, { address, ...watching })
    }
    return socket
  }

/** Requests without an answer yet, and how often one looked and nothing had come. */
type OpenRequests = { open: number; silentLooks: number }

function countRequests(socket: Socket, watching: SocketWatching | undefined): OpenRequests {
  const countAnswers = createFrameCounter()
  const write = socket.write
  const requests: OpenRequests = { open: 0, silentLooks: 0 }
  let greetingsLeft = watching?.greetings ?? 0
  socket.write = ((...values: Parameters<Socket['write']>) => {
    if (requests.open === 0) requests.silentLooks = 0
    requests.open++
    return write.apply(socket, values)
  }) as Socket['write']
  socket.on('data', (bytes: Buffer) => {
    const answers = countAnswers(bytes)
    requests.silentLooks = 0
    requests.open = Math.max(0, requests.open - answers)
    if (answers > greetingsLeft) watching?.watch.answered()
    greetingsLeft = Math.max(0, greetingsLeft - answers)
  })
  return requests
}

function endWhenSilent(socket: Socket, requests: OpenRequests, silenceMsMax: number): void {
  const look = (): void => {
    if (requests.open === 0 || ++requests.silentLooks <= LOOKS) return
    const found = `${requests.open} requests and nothing heard for ${silenceMsMax} ms`
    socket.destroy(new Error(found))
  }
  const timer = setInterval(look, silenceMsMax / LOOKS).unref()
  socket.once('close', () => clearInterval(timer))
}

type Failing = SocketWatching & { readonly address: string }

/** Not told: that we ended it, and that a broker ended one of which nothing was wanted. */
function tellFailures(socket: Socket, requests: OpenRequests, failing: Failing): void {
  const { watch, address, connectMsMax } = failing
  const fail = (reason: string): void => watch.failed(`${address}: ${reason}`)
  // Where this process itself was held up, a connection may be there and not have been noticed yet.
  const judge = (): void => {
    if (socket.connecting) fail(`no connection within ${connectMsMax} ms`)
  }
  const late = setTimeout(() => setImmediate(judge), connectMsMax)
  late.unref()
  socket.once('close', () => clearTimeout(late))
  socket.once('error', (error) => fail(error.message))
  socket.once('end', () => {
    if (!socket.writableEnded && requests.open > 0) fail('the broker closed the connection')
  })
}

/** How many frames end in the pieces that are handed in, one after the other. */
export function createFrameCounter(): (bytes: Buffer) => number {
  let sizeBytes = 0
  let size = 0
  let missing = 0
  return (bytes) => {
    let frames = 0
    for (let at = 0; at < bytes.length; ) {
      if (sizeBytes < 4) {
        size = (size << 8) | bytes[at++]!
        sizeBytes++
        missing = size
      } else {
        const taken = Math.min(missing, bytes.length - at)
        at += taken
        missing -= taken
      }
      if (sizeBytes === 4 && missing === 0) {
        frames++
        sizeBytes = 0
        size = 0
      }
    }
    return frames
  }
}
