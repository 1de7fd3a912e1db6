// One campaign from beginning to end, on a stack that is up.
//
//   place ─► crew, traffic ─► fault, recovery, fault, ... ─► traffic stops ─► drained ─► judged
//
// In: a campaign's name, seed and seconds. Out: its result: faults, books, parity, how long recovery
// took, and in words whatever went wrong. Refused: a stack that does not take a new place. Invariant:
// a fault that is not recovered from in time ends the campaign and is told; it is judged all the same.

import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import type { FaultStack } from '../../dev/stack/fault-stack.ts'
import { startSupervision } from '../../dev/stack/supervision.ts'
import { type CampaignName, campaigns } from './campaigns.ts'
import { untilCaughtUp } from './caught-up.ts'
import { type ChaosPlace, openChaosPlace } from './chaos-place.ts'
import { type ChaosRedis, startChaosRedis } from './chaos-redis.ts'
import { startChaosTraffic } from './chaos-traffic.ts'
import { startCrew } from './crew.ts'
import type { ChaosWorld } from './fault.ts'
import { planFaults, type ScheduledFault } from './fault-schedule.ts'
import { type Judgement, judgeCampaign } from './judge-campaign.ts'
import type { TcpProxy } from './tcp-proxy.ts'

export type Say = (line: string) => void

export type CampaignResult = Omit<Judgement, 'offences'> & {
  readonly campaign: CampaignName
  readonly faults: number
  readonly faultsByKind: Readonly<Record<string, number>>
  readonly seconds: number
  /** From the end of a fault until all that had come in by then was committed. */
  readonly recoveryMsMean: number
  readonly recoveryMsMax: number
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
const recoveryMsMax = 120_000

export async function runCampaign(
  name: CampaignName,
  options: CampaignOptions,
): Promise<CampaignResult> {
  const { stack, wires, runId, pipelineFile } = options
  const folder = join(stack.folder, name)
  mkdirSync(folder, { recursive: true })
  const redis = await startChaosRedis(stack, name, campaigns[name].redis)
  try {
    const place = await openChaosPlace({
      name: `${runId}-${name}`,
      pipelineFile,
      folder,
      brokers: stack.brokers.map(({ address }) => address),
      registryUrl: stack.registryUrl,
      wires: {
        kafkaPorts: wires.kafka.map(({ port }) => port),
        redisPort: redis.wire.port,
        registryPort: wires.registry.port,
      },
    })
    return await runIn(place, folder, redis, name, options)
  } finally {
    await redis.close()
  }
}

async function runIn(
  place: ChaosPlace,
  folder: string,
  redis: ChaosRedis,
  name: CampaignName,
  options: CampaignOptions,
): Promise<CampaignResult> {
  const { stack, wires } = options
  const supervision = startSupervision(folder)
  const crew = startCrew({ place, supervision, folder, size: crewSize, sessionMs })
  try {
    const world = { crew, brokers: stack.brokers, redis, wires, sessionMs }
    const struck = await strikeUnderTraffic(name, options, place, world)
    await crew.stop()
    const { offences, ...figures } = await judgeCampaign(place, stack.registryUrl)
    const failures = [...struck.failures, ...offences]
    return { campaign: name, ...struck, ...figures, ends: crew.ends(), failures }
  } finally {
    await crew.stop()
    await supervision.stop()
    await place.removeTopics()
  }
}

type Struck = Omit<CampaignResult, keyof Judgement | 'campaign' | 'ends'>

async function strikeUnderTraffic(
  name: CampaignName,
  options: CampaignOptions,
  place: ChaosPlace,
  quietWorld: Omit<ChaosWorld, 'traffic'>,
): Promise<Struck> {
  const { seed, seconds, rate } = options
  const { disturbances } = campaigns[name]
  const startedMs = Date.now()
  // Faults may take longer than planned on a slow machine; the traffic has to outlast them.
  const secondsMax = 4 * seconds + 240
  const traffic = await startChaosTraffic(place, { seed, rate, secondsMax, disturbances })
  const journal = createJournal(name, options)
  const work = strikeAll(planFaults(name, seed, seconds), options, place, journal, {
    ...quietWorld,
    traffic,
  })
  try {
    await Promise.race([work, traffic.failed])
    await traffic.stop()
    await untilCaughtUp(place, recoveryMsMax)
  } catch (error) {
    journal.fail(error)
    await traffic.stop().catch(journal.fail)
    work.catch(() => undefined)
  }
  return journal.close()
}

async function strikeAll(
  schedule: readonly ScheduledFault[],
  { stop, say }: CampaignOptions,
  place: ChaosPlace,
  journal: Journal,
  world: ChaosWorld,
): Promise<void> {
  await untilCaughtUp(place, recoveryMsMax)
  const startedMs = Date.now()
  journal.begin(startedMs)
  for (const [i, { fault, dueMs, pauseMs, isHurried }] of schedule.entries()) {
    await pause(pauseMs + Math.max(0, startedMs + dueMs - Date.now()), undefined, { signal: stop }).catch(() => undefined)
    if (stop.aborted) return
    const struckMs = Date.now()
    try {
      await fault.strike(world)
      const endedMs = Date.now()
      journal.struck(fault.kind)
      if (!isHurried) {
        await untilCaughtUp(place, recoveryMsMax)
        journal.recovered(Date.now() - endedMs)
      }
      const lasted = `${((endedMs - struckMs) / 1000).toFixed(1)} s`
      const after = isHurried ? 'not waited for' : `recovered in ${secondsSince(endedMs)} s`
      say(journal.line(i + 1, schedule.length, `${fault.words}; ${lasted}, ${after}`))
    } catch (cause) {
      const reason = cause instanceof Error ? cause.message : String(cause)
      throw new Error(`fault ${i + 1} (${fault.words}): ${reason}`, { cause })
    }
  }
}

const secondsSince = (ms: number): string => ((Date.now() - ms) / 1000).toFixed(1)

type Journal = ReturnType<typeof createJournal>

function createJournal(name: CampaignName, { say }: CampaignOptions, startedMs: number) {
  const faultsByKind = new Map<string, number>()
  const recoveries: number[] = []
  const failures: string[] = []
  const line = (index: number, count: number, words: string): string =>
    `${secondsSince(startedMs).padStart(7)} s  ${name.padEnd(16)} ${index}/${count}  ${words}`
  return {
    line,
    struck: (kind: string): void => {
      faultsByKind.set(kind, (faultsByKind.get(kind) ?? 0) + 1)
    },
    recovered: (ms: number): void => {
      recoveries.push(ms)
    },
    fail: (error: unknown): void => {
      const reason = error instanceof Error ? error.message : String(error)
      failures.push(reason)
      say(`${secondsSince(startedMs).padStart(7)} s  ${name.padEnd(16)} FAILED: ${reason}`)
    },
    close: (): Struck => ({
      faults: [...faultsByKind.values()].reduce((sum, count) => sum + count, 0),
      faultsByKind: Object.fromEntries(faultsByKind),
      seconds: Math.round((Date.now() - startedMs) / 1000),
      recoveryMsMean:
        Math.round(recoveries.reduce((sum, ms) => sum + ms, 0) / recoveries.length) || 0,
      recoveryMsMax: Math.max(0, ...recoveries),
      failures,
    }),
  }
}
