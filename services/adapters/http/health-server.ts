// The HTTP side of an entry point: /metrics, /health/live, /health/ready.
//
// In: a port (0 = any free one), the registry of metrics, the readiness and the snapshot. Out: a
// listening server with the port it got, closed by `close`. Refuses a port that it cannot have,
// with the setting to change. Invariants: it only reads, and it never holds up a drain: `close`
// ends open connections.

import type { AddressInfo } from 'node:net'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { type FastifyInstance, fastify } from 'fastify'
import type { Registry } from 'prom-client'
import { WeirError } from '../../core/errors.ts'
import type { ProcessState } from '../../pipeline/observe/process-state.ts'
import type { Stream } from '../../pipeline/records.ts'
import type { Readiness, Reason } from './readiness.ts'

type HealthServerOptions = {
  /** 0 = any free port; the one it got is in the result. */
  readonly port: number
  readonly host: string
  /** What changes the port. */
  readonly portSetting?: 'WEIR_HTTP_PORT' | 'WEIR_ROLLOUT_PORT'
  readonly registry: Registry
  readonly readiness: Pick<Readiness, 'reasonsNotReady' | 'reasonsDead' | 'state'>
  /** The books of the process, shown as they are in /health/ready. */
  readonly snapshot: () => { readonly streams: Readonly<Record<Stream, unknown>> }
  /** Worst stall of the main thread since the last call; measured here unless given. */
  readonly readWorstStallMs?: () => number
}

export type HealthServer = {
  readonly port: number
  readonly url: string
  readonly close: () => Promise<void>
}

/** Paths and what they answer; GET / shows them. */
const healthPaths = {
  '/metrics': 'Prometheus text format',
  '/health/live': '200, or 503 with reasons where a restart helps',
  '/health/ready': '200, or 503 with reasons and what to do; models, lanes, systems, counts',
} as const

const STALL_RESOLUTION_MS = 100

export async function startHealthServer(options: HealthServerOptions): Promise<HealthServer> {
  const server = fastify({ logger: false, forceCloseConnections: true })
  const stall = options.readWorstStallMs ? null : watchStalls()
  const readWorstStallMs = options.readWorstStallMs ?? stall!.readWorstMs
  addRoutes(server, { ...options, readWorstStallMs })
  await listen(server, options)
  const address = server.server.address() as AddressInfo
  const host = address.family === 'IPv6' ? `[${address.address}]` : address.address
  return {
    port: address.port,
    url: `http://${host}:${address.port}`,
    close: async () => {
      stall?.stop()
      await server.close()
    },
  }
}

type Answers = Required<
  Pick<HealthServerOptions, 'registry' | 'readiness' | 'snapshot' | 'readWorstStallMs'>
>

function addRoutes(server: FastifyInstance, options: Answers): void {
  const { registry, readiness, snapshot, readWorstStallMs } = options
  server.get('/', () => healthPaths)
  server.get('/metrics', async (_request, reply) => {
    reply.header('content-type', registry.contentType)
    return registry.metrics()
  })
  server.get('/health/live', (_request, reply) => {
    const reasons = readiness.reasonsDead(readWorstStallMs())
    reply.code(reasons.length === 0 ? 200 : 503)
    return { alive: reasons.length === 0, reasons }
  })
  server.get('/health/ready', (_request, reply) => {
    const reasons = readiness.reasonsNotReady()
    reply.code(reasons.length === 0 ? 200 : 503)
    return describeReady(reasons, readiness.state(), snapshot().streams)
  })
}

function describeReady(
  reasons: readonly Reason[],
  state: ProcessState,
  streams: Readonly<Record<Stream, unknown>>,
) {
  const { systems, assignedLanes, lanes, models } = state
  return {
    ready: reasons.length === 0,
    reasons,
    models,
    systems,
    lanes: { assigned: assignedLanes, claimed: [...lanes.values()] },
    streams,
  }
}

async function listen(server: FastifyInstance, options: HealthServerOptions): Promise<void> {
  const { host, port, portSetting = 'WEIR_HTTP_PORT' } = options
  try {
    await server.listen({ host, port })
  } catch (cause) {
    await server.close()
    const found = cause instanceof Error ? cause.message : String(cause)
    throw new WeirError(
      'WEIR_SETTINGS_INVALID',
      `The health server cannot listen on ${host}:${port} (${found}). ` +
        `Expected a free port of this machine; set ${portSetting} (0 = any free port) or WEIR_HTTP_HOST.`,
      { cause },
    )
  }
}

function watchStalls() {
  const delay = monitorEventLoopDelay({ resolution: STALL_RESOLUTION_MS })
  delay.enable()
  return {
    readWorstMs: () => {
      const worstMs = Math.max(0, delay.max / 1e6 - STALL_RESOLUTION_MS)
      delay.reset()
      return Math.round(worstMs)
    },
    stop: () => delay.disable(),
  }
}
