// The health server over real HTTP, fed by the same story as the observer.

import { once } from 'node:events'
import { connect } from 'node:net'
import { pino } from 'pino'
import { Registry } from 'prom-client'
import { afterEach, describe, expect, it } from 'vitest'
import {
  type HealthServer,
  startHealthServer,
} from '../../../services/adapters/http/health-server.ts'
import { createReadiness } from '../../../services/adapters/http/readiness.ts'
import { metricTable } from '../../../services/adapters/prometheus/metric-table.ts'
import { createObserver } from '../../../services/adapters/prometheus/observer.ts'
import { systemClock } from '../../../services/core/clock.ts'
import { oneOfEach } from '../prometheus/story.ts'

type Body = { readonly ready?: boolean; readonly alive?: boolean; readonly reasons: unknown }

const servers: HealthServer[] = []

afterEach(async () => {
  for (const server of servers.splice(0)) await server.close()
})

async function startServer(options: { stallMs?: number; port?: number } = {}) {
  const registry = new Registry()
  const observer = createObserver({ registry, logger: pino({ level: 'silent' }) })
  const readiness = createReadiness({
    clock: systemClock,
    readState: observer.state,
    requiredSystems: ['redis'],
  })
  const server = await startHealthServer({
    host: '127.0.0.1',
    port: options.port ?? 0,
    registry,
    readiness,
    snapshot: observer.snapshot,
    ...(options.stallMs === undefined ? {} : { readWorstStallMs: () => options.stallMs! }),
  })
  servers.push(server)
  const { observe } = observer
  const get = (path: string) => fetch(`${server.url}${path}`)
  return { server, observe, get }
}

describe('health server', () => {
  it('serves every metric of a scorer in the Prometheus text format', async () => {
    const { observe, get } = await startServer()
    for (const signal of Object.values(oneOfEach)) observe(signal)
    const response = await get('/metrics')
    expect(response.status).toBe(200)
    expect(response.headers.get('content-type')).toBe('text/plain; version=0.0.4; charset=utf-8')
    const text = await response.text()
    const typed = [...text.matchAll(/^# TYPE (weir_\S+) (\S+)$/gm)].map(([, name, type]) => [
      name,
      type,
    ])
    expect(Object.fromEntries(typed)).toEqual(
      Object.fromEntries(
        Object.entries(metricTable).flatMap(([name, row]) =>
          name.startsWith('weir_rollout_') ? [] : [[name, row.type]],
        ),
      ),
    )
    expect(text).toContain('\nweir_scored_events_total 985\n')
    expect(text).toMatch(/^process_resident_memory_bytes \d+$/m)
  })

  it('answers 503 with reasons until it is ready, then 200 with models and books', async () => {
    const { observe, get } = await startServer()
    const before = await get('/health/ready')
    expect(before.status).toBe(503)
    const { ready, reasons } = (await before.json()) as Body
    expect(ready).toBe(false)
    expect(reasons).toContainEqual({
      code: 'redis_down',
      sentence: 'The feature store does not answer.',
      detail: expect.stringContaining('not connected yet'),
      action: expect.stringContaining('Redis'),
    })
    const { connection, lane_claimed, model_loaded, received, committed } = oneOfEach
    for (const signal of [connection, lane_claimed, model_loaded, received, committed]) {
      observe(signal)
    }
    const after = await get('/health/ready')
    expect(after.status).toBe(200)
    expect(await after.json()).toMatchObject({
      ready: true,
      reasons: [],
      models: [{ role: 'champion', name: 'card-fraud', version: '1', provider: 'cpu' }],
      lanes: { claimed: [{ stream: 'transactions', partition: 3 }] },
      streams: { transactions: { received: 1000, scored: 985, inFlight: 2, difference: 0 } },
    })
    observe(oneOfEach.draining)
    expect((await get('/health/ready')).status).toBe(503)
  })

  it('is alive until something says that it is dead', async () => {
    const { observe, get } = await startServer()
    const alive = await get('/health/live')
    expect(alive.status).toBe(200)
    expect(await alive.json()).toEqual({ alive: true, reasons: [] })
    observe(oneOfEach.failed)
    const dead = await get('/health/live')
    expect(dead.status).toBe(503)
    expect(((await dead.json()) as Body).reasons).toMatchObject([{ code: 'failed' }])
  })

  it('is dead when the event loop was', async () => {
    const { get } = await startServer({ stallMs: 3_600_000 })
    const dead = await get('/health/live')
    expect(dead.status).toBe(503)
    expect(((await dead.json()) as Body).reasons).toMatchObject([{ code: 'event_loop_stalled' }])
  })

  it('shows its paths at the root', async () => {
    const { get } = await startServer()
    const paths = Object.keys((await (await get('/')).json()) as object)
    for (const path of paths) expect((await get(path)).status, path).not.toBe(404)
    expect(paths).toEqual(['/metrics', '/health/live', '/health/ready'])
  })

  it('names the setting when the port is taken', async () => {
    const { server } = await startServer()
    await expect(startServer({ port: server.port })).rejects.toMatchObject({
      code: 'WEIR_SETTINGS_INVALID',
      message: expect.stringContaining(`127.0.0.1:${server.port}`),
    })
  })

  it('closes though a request is half sent', async () => {
    const { server } = await startServer()
    const socket = connect(server.port, '127.0.0.1')
    await once(socket, 'connect')
    socket.write('GET /metrics HTTP/1.1\r\nHost: x\r\n')
    socket.on('error', () => undefined)
    const closed = new Promise<void>((resolve) => {
      socket.once('close', () => resolve())
    })
    await server.close()
    await closed
    await expect(fetch(server.url)).rejects.toThrow()
  })
})
