// Redis goes away between two questions, told by the code of a store that is away.

import { createServer } from 'node:net'
import { expect, it, onTestFinished } from 'vitest'
import { orAway } from '../../../../services/adapters/redis/client/or-away.ts'
import { inspectRedis } from '../../../../services/adapters/redis/inspect/inspect-redis.ts'
import { WeirError } from '../../../../services/core/errors.ts'

/** Answers so many commands as a server would that knows nothing, then hangs up. */
async function openDying(answers: number): Promise<string> {
  let left = answers
  const server = createServer((socket) => {
    socket.on('error', () => undefined)
    socket.on('data', (bytes) => {
      const commands = bytes.toString().match(/\*\d+\r\n/g)?.length ?? 1
      for (let i = 0; i < commands; i++) {
        if (left-- > 0) socket.write('$10\r\nloading:0\n\r\n')
        else socket.destroy()
      }
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => void server.close())
  return `redis://127.0.0.1:${(server.address() as { port: number }).port}`
}

it.each([1, 2, 3, 4, 5, 6])(
  'or-away - a server that dies after %i answers is away',
  async (answers) => {
    const url = await openDying(answers)
    await expect(inspectRedis(url)).rejects.toMatchObject({ code: 'WEIR_ENRICH_STORE_AWAY' })
  },
)

it('or-away - leaves what the server refuses and what Weir says as they are', async () => {
  const refusal = Object.assign(new Error('NOPERM'), { name: 'ReplyError' })
  await expect(orAway(() => Promise.reject(refusal))).rejects.toBe(refusal)
  const own = new WeirError('WEIR_ENRICH_FENCED', 'x')
  await expect(orAway(() => Promise.reject(own))).rejects.toBe(own)
  await expect(orAway(async () => 7)).resolves.toBe(7)
})
