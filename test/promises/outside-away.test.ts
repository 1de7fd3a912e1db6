// What a scorer says of itself while something outside is away: at its start, and while it scores.
//
// A stack of this test's own, whose servers are really stopped and started again. The scorers are
// processes; all that is asserted is what an operator sees: health, metrics, log lines, exit codes,
// and the committed offsets.

import { readFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { findFreePorts } from '../../dev/stack/free-ports.ts'
import { type ServerName, type Stack, startStack } from '../../dev/stack/stack.ts'
import { startTcpProxy } from '../../load/chaos/tcp-proxy.ts'
import type { ScorerProcess } from '../../load/scorer/scorer-process.ts'
import { untilCommitted } from '../support/committed-offsets.ts'
import {
  openScoringEnvironment,
  replaceLine,
  type ScoringEnvironment,
} from '../support/scoring-environment.ts'
import { waitFor } from '../support/wait-for.ts'

let stack: Stack
let place: ScoringEnvironment
beforeAll(async () => {
  const environment = { ...process.env, WEIR_STACK: 'native' }
  for (const name of ['WEIR_KAFKA_BROKERS', 'WEIR_REDIS_URL', 'WEIR_REGISTRY_URL'] as const) {
    delete (environment as NodeJS.ProcessEnv)[name]
  }
  stack = await startStack({ name: 'away', environment, redis: { appendOnly: true } })
  place = await openScoringEnvironment({ purpose: 'outside-away', partitions: 2, stack })
})
afterAll(async () => {
  await place?.close()
  await stack?.stop()
})

const server = (name: ServerName) => stack.servers![name]

type Line = {
  readonly signal?: string
  readonly level: string
  readonly system?: string
  readonly state?: string
}

const readText = ({ logFile }: ScorerProcess): string => readFileSync(logFile, 'utf8')
const readLines = (scorer: ScorerProcess): Line[] =>
  readText(scorer)
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line) as Line)

async function look(scorer: ScorerProcess) {
  scorer.assertRunning()
  const ask = (path: string) => fetch(`${scorer.httpUrl}${path}`).catch(() => null)
  const [live, ready] = [await ask('/health/live'), await ask('/health/ready')]
  if (live === null || ready === null) return null
  const { reasons } = (await ready.json()) as { reasons: readonly { readonly code: string }[] }
  return { live: live.status, ready: ready.status, codes: reasons.map(({ code }) => code) }
}

/** Not ready for exactly these systems' sake, and alive all the time. */
async function untilAway(scorer: ScorerProcess, ...away: readonly string[]): Promise<void> {
  let seen: unknown
  await waitFor(
    async () => {
      const found = await look(scorer)
      seen = found
      if (found === null) return false
      expect(found.live).toBe(200)
      const named = found.codes.filter((code) => code.endsWith('_down')).sort()
      return (
        found.ready === 503 && String(named) === String(away.map((one) => `${one}_down`).sort())
      )
    },
    () => `${away} away, found ${JSON.stringify(seen)}; see ${scorer.logFile}`,
  )
}

async function untilReady(scorer: ScorerProcess): Promise<void> {
  let seen: unknown
  await waitFor(
    async () => {
      const found = await look(scorer)
      seen = found
      if (found !== null) expect(found.live).toBe(200)
      return found?.ready === 200
    },
    () => `ready, found ${JSON.stringify(seen)}; see ${scorer.logFile}`,
  )
}

const readConnection = async (scorer: ScorerProcess, series: string): Promise<number> => {
  const line = (await scorer.readMetrics()).split('\n').find((text) => text.startsWith(series))
  return Number(line?.split(' ')[1])
}

const scoreSome = async (): Promise<void> => {
  const traffic = await place.startTraffic({ rate: 200, seconds: 1 })
  await traffic.done
  await untilCommitted(place)
}

describe('at start', () => {
  it('waits for Kafka, Redis and the registry, names them, and scores once they are there', async () => {
    const [port = 0] = await findFreePorts(1)
    const { protocol, port: target, pathname } = new URL(stack.registryUrl)
    const openProxy = () => startTcpProxy({ port, target: Number(target) })
    await server('kafka').kill()
    await server('redis').kill()
    const through = { WEIR_REGISTRY_URL: `${protocol}//127.0.0.1:${port}${pathname}` }
    const scorer = await place.startScorer(through)
    await untilAway(scorer, 'kafka', 'redis')
    await server('redis').start()
    await untilAway(scorer, 'kafka')
    await server('kafka').start()
    await untilAway(scorer, 'registry')
    const proxy = await openProxy()
    onTestFinished(() => proxy.close())
    await untilReady(scorer)
    await scoreSome()
    const lines = readLines(scorer)
    const waits = lines.filter(({ signal }) => signal === 'waiting')
    expect(new Set(waits.map(({ system }) => system))).toEqual(
      new Set(['kafka', 'redis', 'registry']),
    )
    for (const wait of waits) {
      expect(wait).toMatchObject({
        level: 'warn',
        address: expect.stringMatching(/^127\.0\.0\.1:\d+$/),
        attempt: expect.any(Number),
        code: expect.stringMatching(/_AWAY$/),
        detail: expect.stringMatching(/./),
        nextTryMs: expect.any(Number),
      })
    }
    // Weir's own words and nothing else: no stacks, nothing that needs a human.
    expect(readText(scorer)).not.toMatch(/ {4}at /)
    expect(lines.filter(({ level }) => level === 'error')).toEqual([])
    scorer.signal('SIGTERM')
    expect(await scorer.ended).toBe('exited with code 0')
  }, 240_000)

  it('waits for a model registry, and ends at once and well when it is told to', async () => {
    const [port = 0] = await findFreePorts(1)
    const waiting = await openScoringEnvironment({
      purpose: 'mlflow-away',
      partitions: 1,
      stack,
      pipelineText: replaceLine(
        'model:',
        'model: { name: m, version: "@champion", source: mlflow }',
      ),
      environment: { WEIR_MLFLOW_URL: `http://127.0.0.1:${port}` },
    })
    onTestFinished(() => waiting.close())
    const scorer = await waiting.startScorer()
    await untilAway(scorer, 'mlflow')
    expect(await readConnection(scorer, 'weir_connection_up{system="mlflow"}')).toBe(0)
    scorer.signal('SIGTERM')
    expect(await scorer.ended).toBe('exited with code 0')
    expect(readLines(scorer).map(({ signal }) => signal)).toContain('stopped')
  }, 240_000)

  it('does not wait where waiting does not help', async () => {
    const scorer = await place.startScorer({ WEIR_TOPIC_PREFIX: 'nobody-made-these.' })
    expect(await scorer.ended).toBe('exited with code 2')
  }, 240_000)
})

describe('while it scores', () => {
  it.each(['kafka', 'redis'] as const)(
    'tells that %s is away, lives on, and goes on',
    async (name) => {
      const scorer = await place.startScorer()
      await untilReady(scorer)
      await scoreSome()
      await server(name).kill()
      await untilAway(scorer, name)
      expect(await readConnection(scorer, `weir_connection_up{system="${name}"}`)).toBe(0)
      expect(await readConnection(scorer, `weir_lost_connections_total{system="${name}"}`)).toBe(1)
      await server(name).start()
      await untilReady(scorer)
      await scoreSome()
      expect(await readConnection(scorer, `weir_connection_up{system="${name}"}`)).toBe(1)
      expect(readText(scorer)).not.toMatch(/ {4}at /)
      const changes = readLines(scorer)
        .filter(({ signal, system }) => signal === 'connection' && system === name)
        .map(({ state }) => state)
      // One line per change, however many calls failed.
      expect(changes.slice(0, 3)).toEqual(['up', 'down', 'up'])
      expect(changes.filter((state, i) => state === changes[i - 1])).toEqual([])
      scorer.signal('SIGTERM')
      expect(await scorer.ended).toBe('exited with code 0')
      // That it left everything at the end is no outage.
      const told = readLines(scorer).filter(({ signal }) => signal === 'connection')
      for (const system of ['kafka', 'redis', 'registry']) {
        expect(told.findLast((line) => line.system === system)?.state).toBe('up')
      }
    },
    240_000,
  )

  it('tells that the registry is away when a schema id is not known', async () => {
    const scorer = await place.startScorer()
    await untilReady(scorer)
    await scoreSome()
    await server('registry').kill()
    // What it knows needs no registry.
    await scoreSome()
    expect(await look(scorer)).toMatchObject({ ready: 200 })
    const producer = place.kafka.producer()
    await producer.connect()
    onTestFinished(() => producer.disconnect())
    const value = Buffer.alloc(5)
    value.writeInt32BE(4711, 1)
    const { transactions: topic } = place.definition.topics
    await producer.send({ topic, messages: [{ value }] })
    await untilAway(scorer, 'registry')
    expect(await readConnection(scorer, 'weir_connection_up{system="registry"}')).toBe(0)
    await server('registry').start()
    await untilReady(scorer)
    await untilCommitted(place)
    expect(await readConnection(scorer, 'weir_connection_up{system="registry"}')).toBe(1)
    scorer.signal('SIGTERM')
    expect(await scorer.ended).toBe('exited with code 0')
  }, 240_000)
})
