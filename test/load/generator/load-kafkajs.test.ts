// The generator's kafkajs: loaded late, and without the timers that Node warns about.

import { spawnSync } from 'node:child_process'
import { describe, expect, it } from 'vitest'
import { repositoryFolder } from '../../../dev/stack/repository.ts'

const run = (script: string): string => {
  const options = { cwd: repositoryFolder, encoding: 'utf8', timeout: 50_000 } as const
  const { stdout, stderr } = spawnSync(
    process.execPath,
    ['--input-type=module', '-e', script],
    options,
  )
  return `${stdout}${stderr}`
}

describe('load-kafkajs', () => {
  it('is not loaded by whoever only imports the generator', () => {
    const told = run(`
      await import('./load/generator/kafka-sink.ts')
      const { acceleration } = await import('./services/adapters/kafka/client/kafka-client.ts')
      console.log(JSON.stringify(acceleration))`)
    expect(told).toContain('"isAccelerated":true')
  })

  it.each(['quiet', 'stock'])('an empty queue of requests sets no negative timer: %s', (kind) => {
    const told = run(`
      import { createRequire } from 'node:module'
      const require = createRequire(process.cwd() + '/load/generator/x.ts')
      if ('${kind}' === 'quiet') (await import('./load/generator/load-kafkajs.ts')).loadKafkajs()
      const Queue = require('kafkajs/src/network/requestQueue/index.js')
      const queue = new Queue({ maxInFlightRequests: 1, requestTimeout: 1000, clientId: 't', broker: 'b',
        logger: { debug() {}, warn() {} } })
      queue.scheduleCheckPendingRequests()
      console.log('done')
      setTimeout(() => process.exit(), 50)`)
    expect(told).toContain('done')
    expect(told.includes('TimeoutNegativeWarning')).toBe(kind === 'stock')
  })
})
