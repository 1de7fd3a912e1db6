// One campaign from beginning to end, on a stack that is up.
//
//   place ─► crew, traffic ─► fault, recovery, fault, ... ─► traffic stops ─► drained ─► judged
//
// In: a campaign's name, seed and seconds. Out: its result: faults, books, parity, how long
// recovery took, and in words whatever went wrong. Refused: a stack that does not take a new place.
// Invariant: a fault that is not recovered from in time ends the campaign and is told; it is judged
// all the same.

import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import type { FaultStack } from '../../dev/stack/fault-stack.ts'
import { startSupervision } from '../../dev/stack/supervision.ts'
import { type CampaignName, campaigns } from './campaigns.ts'
import { untilCaughtUp } from './caught-up.ts'
import { type ChaosEnvironment, openChaosEnvironment } from './chaos-environment.ts'
import { type ChaosRedis, startChaosRedis } from './chaos-redis.ts'
import { startChaosCluster } from './chaos-redis-cluster.ts'
import { startChaosTraffic } from './chaos-traffic.ts'
import { startCrew } from './crew.ts'
import type { ChaosWorld } from './fault.ts'
import { planFaults } from './fault-schedule.ts'
import { type Judgement, judgeCampaign } from './judge-campaign.ts'
import { type Journal, recoveryMsLimit, strikeFaults } from './strike-faults.ts'
import type { TcpProxy } from './tcp-proxy.ts'

export type Say = (line: string) => void

export type CampaignResult = Journal &
  Omit<Judgement, 'offences'> & {
    readonly campaign: CampaignName
    readonly seconds: number
    /** How often scorers ended in which way. */
    readonly ends: Readonly<Record<string, number>>
    /** In words; empty where all went well. */
    readonly failures: readonly string[]
  }

export type CampaignOptions = {
  readonly stack: FaultStack
  readonly wires: { readonly kafka: readonly TcpProxy[]; readonly registry: TcpProxy }
  readonly runId: string
  readonly seed: number
  readonly seconds: number
  readonly rate: number
  readonly pipelineFile: string
  readonly say: Say
  /** Ends the campaign after the fault of now. */
  readonly stop: AbortSignal
}

/** In place of the scorer's own 10 s, so that dead and frozen scorers are missed sooner. */
const sessionMs = 4000
const crewSize = 2

export async function runCampaign(
  name: CampaignName,
  options: CampaignOptions,
): Promise<CampaignResult> {
  const { stack, wires, runId, pipelineFile } = options
  const folder = join(stack.folder, name)
  mkdirSync(folder, { recursive: true })
  const redis = await startStore(stack, name)
  try {
    const place = await openChaosEnvironment({
      name: `${runId}-${name}`,
      pipelineFile,
      folder,
      brokers: stack.brokers.map(({ address }) => address),
      registryUrl: stack.registryUrl,
      redisUrl: redis.url,
      wires: {
        kafkaPorts: wires.kafka.map(({ port }) => port),
        registryPort: wires.registry.port,
      },
    })
    return await runIn(place, folder, redis, name, options)
  } finally {
    await redis.close()
  }
}

function startStore(stack: FaultStack, name: CampaignName): Promise<ChaosRedis> {
  const shape = campaigns[name].redis
  return shape === 'cluster' ? startChaosCluster(stack, name) : startChaosRedis(stack, name, shape)
}

async function runIn(
  place: ChaosEnvironment,
  folder: string,
  redis: ChaosRedis,
  name: CampaignName,
  options: CampaignOptions,
): Promise<CampaignResult> {
  const { stack, wires } = options
  const startedMs = Date.now()
  const supervision = startSupervision(folder)
  const crew = startCrew({ place, supervision, folder, size: crewSize, sessionMs })
  try {
    const world = { crew, brokers: stack.brokers, redis, wires, sessionMs }
    const { journal, failures } = await strikeUnderTraffic(name, options, place, world)
    await crew.stop()
    const seconds = Math.round((Date.now() - startedMs) / 1000)
    const { offences, ...figures } = await judgeCampaign(place, stack.registryUrl)
    const [ends, unasked] = [crew.ends(), crew.unasked()]
    const all = [...failures, ...offences, ...unasked]
    return { campaign: name, seconds, ...journal, ...figures, ends, failures: all }
  } finally {
    await crew.stop()
    await supervision.stop()
    await place.removeTopics()
  }
}

async function strikeUnderTraffic(
  campaign: CampaignName,
  { seed, seconds, rate, say, stop }: CampaignOptions,
  place: ChaosEnvironment,
  quietWorld: Omit<ChaosWorld, 'traffic'>,
): Promise<{ readonly journal: Journal; readonly failures: readonly string[] }> {
  const failures: string[] = []
  const fail = (error: unknown): void => {
    const reason = error instanceof Error ? error.message : String(error)
    failures.push(reason)
    say(`FAILED: ${campaign}: ${reason}`)
  }
  const { disturbances } = campaigns[campaign]
  // Faults may take longer than planned on a slow machine; the traffic has to outlast them.
  const secondsMax = 4 * seconds + 240
  const traffic = await startChaosTraffic(place, { seed, rate, secondsMax, disturbances })
  const world = { ...quietWorld, traffic }
  const schedule = planFaults(campaign, seed, seconds)
  const strikes = strikeFaults({ campaign, schedule, seconds, place, world, say, stop })
  await Promise.race([strikes.done, traffic.failed]).catch(fail)
  await traffic.stop().catch(fail)
  await untilCaughtUp(place, recoveryMsLimit).catch(fail)
  return { journal: strikes.journal(), failures }
}
