// The one stack that all integration tests of a run share (vitest's globalSetup).
//
// In: nothing, or WEIR_TEST_STACK=eager. Out: an address on this machine where a test process asks
// for the stack's endpoints. The stack is started by the first question, so a run of unit tests
// never starts it; eager starts it before the first test. Refused: a stack that cannot be started
// is the answer to every question, and fails the tests that asked. It ends with the run.

import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { inspect } from 'node:util'
import type { TestProject } from 'vitest/node'
import { type Stack, startStack } from '../../dev/stack/stack.ts'

declare module 'vitest' {
  export interface ProvidedContext {
    readonly weirStackAddress: string
  }
}

export async function setup(project: TestProject): Promise<() => Promise<void>> {
  let started: Promise<Stack> | undefined
  const start = () => {
    started ??= startStack({ name: 'test' })
    return started
  }
  const server = createServer((_request, response) => {
    start().then(
      ({ kind, kafkaBrokers, redisUrl, registryUrl }) =>
        answer(response, 200, JSON.stringify({ kind, kafkaBrokers, redisUrl, registryUrl })),
      (error: unknown) => answer(response, 500, inspect(error)),
    )
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  project.provide('weirStackAddress', `http://127.0.0.1:${(server.address() as AddressInfo).port}`)
  if (process.env.WEIR_TEST_STACK === 'eager') await start()
  return async () => {
    server.close()
    server.closeAllConnections()
    const stack = await started?.catch(() => undefined)
    await stack?.stop()
  }
}

function answer(response: ServerResponse, status: number, body: string): void {
  response.writeHead(status, { 'content-type': 'text/plain; charset=utf-8' })
  response.end(body)
}
