// The demo as a person starts it: its last line, its exit code, its end by Ctrl-C.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { describe, expect, it, onTestFinished } from 'vitest'
import { repositoryFolder } from '../../dev/stack/repository.ts'
import { testStack } from '../support/stack.ts'

async function startDemo(flags: readonly string[]) {
  const { kafkaBrokers, redisUrl, registryUrl } = await testStack()
  const endpoints = {
    WEIR_KAFKA_BROKERS: kafkaBrokers.join(','),
    WEIR_REDIS_URL: redisUrl,
    WEIR_REGISTRY_URL: registryUrl,
  }
  const script = join(repositoryFolder, 'load/demo/main.ts')
  const child = spawn(process.execPath, [script, ...flags], {
    cwd: repositoryFolder,
    env: { ...process.env, ...endpoints },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  onTestFinished(() => void child.kill('SIGKILL'))
  const lines: string[] = []
  createInterface({ input: child.stdout }).on('line', (line) => lines.push(line))
  createInterface({ input: child.stderr }).on('line', (line) => lines.push(line))
  const ended = once(child, 'close').then(([code]) => code as number)
  return { child, lines, ended }
}

const isAnswered = (url: string): Promise<boolean> =>
  fetch(url).then(
    () => true,
    () => false,
  )

describe('the demo', () => {
  it('balances its books, says so, and ends with code 0', async () => {
    const { lines, ended } = await startDemo(['--seconds', '4', '--rate', '500', '--json'])
    expect(await ended, lines.join('\n')).toBe(0)
    const result = JSON.parse(lines.at(-1)!) as Record<string, number>
    expect(result).toMatchObject({ difference: 0, lag: 0, faults: [] })
    expect(result.received).toBe(result.scored! + result.rejected! + result.diverted!)
    expect(result.received).toBeGreaterThan(1900)
    expect(result.rejected).toBeGreaterThan(0)
    expect(result.p50Ms).toBeLessThanOrEqual(result.p99Ms!)
    const text = lines.join('\n')
    expect(text).toMatch(/second +in +scored +flagged +rejected +lag +p50 ms +p99 ms/)
    expect(text).toMatch(/received {2}= +scored {2}\+ +rejected {2}\+ +diverted/)
    expect(text).toContain('"amount":')
  })

  it('ends on Ctrl-C with what was sent settled, and leaves nothing running', async () => {
    const { child, lines, ended } = await startDemo(['--seconds', '60', '--rate', '200', '--json'])
    const isUnderWay = () => lines.filter((line) => /^ +\d+ +[\d,]+ +/.test(line)).length >= 2
    while (!isUnderWay() && child.exitCode === null) await once(child.stdout, 'data')
    const [metricsUrl] = /http:\/\/\S+\/metrics/.exec(lines.join('\n'))!
    expect(await isAnswered(metricsUrl)).toBe(true)
    child.kill('SIGINT')
    expect(await ended, lines.join('\n')).toBe(130)
    const result = JSON.parse(lines.at(-1)!) as Record<string, number>
    expect(result).toMatchObject({ difference: 0, lag: 0, faults: [] })
    expect(result.received).toBeLessThan(60 * 200)
    expect(await isAnswered(metricsUrl)).toBe(false)
  })
})
