// All campaigns of a run, one after the other, on as few stacks as they need.
//
// In: names, seed, seconds in all. Out: the result of each and of all. Refused: a machine without
// the native servers: campaigns kill, freeze and rewire them, which only processes of their own
// allow. Invariant: whatever happens, nothing that was started here is left running.

import { randomBytes } from 'node:crypto'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { type FaultStack, startFaultStack } from '../../dev/stack/fault-stack.ts'
import { findFreePorts } from '../../dev/stack/free-ports.ts'
import { stacksFolder } from '../../dev/stack/repository.ts'
import { type CampaignName, campaigns } from './campaigns.ts'
import { type CampaignOptions, type CampaignResult, runCampaign, type Say } from './run-campaign.ts'
import { startTcpProxy, type TcpProxy } from './tcp-proxy.ts'

type ChaosOptions = {
  readonly campaigns: readonly CampaignName[]
  readonly seed: number
  /** Of traffic and faults, shared by the campaigns; start-up and judging come on top. */
  readonly seconds: number
  readonly rate: number
  readonly pipelineFile: string
  readonly say: Say
  readonly stop: AbortSignal
}

export type ChaosResult = {
  readonly received: number
  readonly scored: number
  readonly rejected: number
  readonly diverted: number
  readonly difference: number
  readonly faults: number
  readonly parityDifferences: number
  readonly ordinalGaps: number
  readonly seed: number
  readonly seconds: number
  readonly rate: number
  readonly campaigns: readonly CampaignResult[]
}

export async function runChaos(options: ChaosOptions): Promise<ChaosResult> {
  const runId = `chaos-${randomBytes(4).toString('hex')}`
  const seconds = options.seconds / options.campaigns.length
  const results: CampaignResult[] = []
  for (const brokers of [1, 3] as const) {
    const names = options.campaigns.filter((name) => campaigns[name].brokers === brokers)
    if (names.length === 0 || options.stop.aborted) continue
    await withStack(brokers, runId, options, async (stack, wires) => {
      for (const name of names) {
        if (options.stop.aborted) return
        const { seed, rate, pipelineFile, say, stop } = options
        const shared = { stack, wires, runId, seed, seconds, rate, pipelineFile, say, stop }
        results.push(await runCampaign(name, shared))
      }
    })
  }
  return {
    ...sumUp(results),
    seed: options.seed,
    seconds: options.seconds,
    rate: options.rate,
    campaigns: results,
  }
}

type Wires = CampaignOptions['wires']

async function withStack(
  brokerCount: number,
  runId: string,
  { say }: ChaosOptions,
  work: (stack: FaultStack, wires: Wires) => Promise<void>,
): Promise<void> {
  const folder = join(stacksFolder, `${runId}-${brokerCount}`)
  mkdirSync(folder, { recursive: true })
  const ports = await findFreePorts(brokerCount + 1)
  const proxyPorts = ports.slice(1)
  say(`starting ${brokerCount === 1 ? 'one broker' : `${brokerCount} brokers`} and a registry`)
  const stack = await startFaultStack({ folder, environment: process.env, say, proxyPorts })
  const proxies: TcpProxy[] = []
  try {
    for (const [i, { proxiedPort }] of stack.brokers.entries()) {
      proxies.push(await startTcpProxy({ port: proxyPorts[i]!, target: proxiedPort }))
    }
    const target = Number(new URL(stack.registryUrl).port)
    const registry = await startTcpProxy({ port: ports[0]!, target })
    proxies.push(registry)
    await work(stack, { kafka: proxies.slice(0, brokerCount), registry })
  } finally {
    for (const proxy of proxies) await proxy.close()
    await stack.stop()
  }
}

const summed = [
  'received',
  'scored',
  'rejected',
  'diverted',
  'difference',
  'faults',
  'parityDifferences',
  'ordinalGaps',
] as const

function sumUp(results: readonly CampaignResult[]): Pick<ChaosResult, (typeof summed)[number]> {
  const sums = summed.map((name) => [
    name,
    // Differences of two campaigns must not cancel each other.
    results.reduce((sum, result) => sum + Math.abs(result[name]), 0),
  ])
  return Object.fromEntries(sums) as Pick<ChaosResult, (typeof summed)[number]>
}
