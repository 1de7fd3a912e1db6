// Ports nobody listens on.
//
// In: how many. Out: that many different ports of 127.0.0.1. They lie below the range from which
// the system takes the ports of outgoing connections, so that none of those can slip in between
// this look and the server's start, nor while a server is stopped and started again by a test.
// Refused: a machine on which nothing in the range is free after many tries.

import { randomInt } from 'node:crypto'
import { createServer } from 'node:net'

const portMin = 20_000
const portMax = 32_000
const triesMax = 200

export async function findFreePorts(count: number): Promise<number[]> {
  const ports = new Set<number>()
  for (let tries = 0; ports.size < count; tries += 1) {
    if (tries === triesMax) {
      throw new Error(`no free port found between ${portMin} and ${portMax} in ${triesMax} tries`)
    }
    const port = randomInt(portMin, portMax)
    if (await isFree(port)) ports.add(port)
  }
  return [...ports]
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer()
    server.once('error', () => resolve(false))
    server.listen({ port, host: '127.0.0.1', exclusive: true }, () => {
      server.close(() => resolve(true))
    })
  })
}
