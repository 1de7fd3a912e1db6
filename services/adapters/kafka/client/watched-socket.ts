// Connections to brokers that are given up when they fall silent.
//
// kafkajs fails a request without an answer, and keeps the connection: where the far side has
// forgotten it (a NAT table, a load balancer, a host that died), every later request waits in vain,
// too, for minutes. In: what kafkajs asks of a socket. Out: a socket that ends with an error when
// nothing at all was heard while requests were open; kafkajs then connects anew. Invariant: an idle
// connection is never ended, nor one that still brings anything; a process that was stopped itself
// for a while counts as one moment, not as silence.
//
//   request    size i32 | body      one write each
//   answer     size i32 | body      in any pieces

import { connect, isIP, type Socket } from 'node:net'
import { connect as connectSecurely } from 'node:tls'
import type { ISocketFactory } from 'kafkajs'

/** Looks at silence so often before giving up. */
const LOOKS = 10
const KEEP_ALIVE_MS = 60_000

export const createSocketFactory =
  (silenceMsMax: number): ISocketFactory =>
  ({ host, port, ssl, onConnect }) => {
    const servername = isIP(host) === 0 ? { servername: host } : {}
    const socket = ssl
      ? connectSecurely({ host, port, ...servername, ...ssl }, onConnect)
      : connect({ host, port }, onConnect)
    socket.setKeepAlive(true, KEEP_ALIVE_MS)
    endWhenSilent(socket, silenceMsMax)
    return socket
  }

function endWhenSilent(socket: Socket, silenceMsMax: number): void {
  const countAnswers = createFrameCounter()
  const write = socket.write
  let openRequests = 0
  let silentLooks = 0
  socket.write = ((...values: Parameters<Socket['write']>) => {
    if (openRequests === 0) silentLooks = 0
    openRequests++
    return write.apply(socket, values)
  }) as Socket['write']
  socket.on('data', (bytes: Buffer) => {
    silentLooks = 0
    openRequests = Math.max(0, openRequests - countAnswers(bytes))
  })
  const look = (): void => {
    if (openRequests === 0 || ++silentLooks <= LOOKS) return
    socket.destroy(new Error(`${openRequests} requests and nothing heard for ${silenceMsMax} ms`))
  }
  const timer = setInterval(look, silenceMsMax / LOOKS).unref()
  socket.once('close', () => clearInterval(timer))
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
