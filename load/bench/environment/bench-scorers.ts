// The bench's scorers: processes as in production, told by the environment.
//
// In: a place, how many, flags for Node. Out: their handles, and the moment of the first claim of a
// lane by any of them. Refused: a scorer that ends or claims nothing in time; the error carries the
// end of its log. Invariant: with stop() they have ended and their logs are removed.

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startSupervision } from '../../../dev/stack/supervision.ts'
import { type ScorerProcess, startScorerProcess } from '../../scorer/scorer-process.ts'
import type { BenchEnvironment } from './bench-environment.ts'

type BenchScorers = {
  readonly all: readonly ScorerProcess[]
  /** ms since the epoch. */
  readonly untilFirstClaim: () => Promise<number>
  /** Rejects when one of them has ended. */
  readonly failed: Promise<never>
  readonly stop: () => Promise<void>
}

export async function startBenchScorers(
  place: BenchEnvironment,
  count: number,
  nodeFlags: readonly string[] = [],
): Promise<BenchScorers> {
  const folder = mkdtempSync(join(tmpdir(), 'weir-bench-scorers-'))
  const supervision = startSupervision(folder)
  const start = (i: number) =>
    startScorerProcess({
      supervision,
      name: `scorer-${i}`,
      pipelineFile: place.pipelineFile,
      environment: { ...environmentOf(place), WEIR_INSTANCE_ID: `scorer-${i}` },
      logFile: join(folder, `scorer-${i}.log`),
      nodeFlags,
    })
  const close = async () => {
    await supervision.stop()
    rmSync(folder, { recursive: true, force: true })
  }
  try {
    const all = await Promise.all(Array.from({ length: count }, (_, i) => start(i)))
    const failed = Promise.race(all.map((scorer) => scorer.failed))
    failed.catch(() => undefined)
    return {
      all,
      untilFirstClaim: () => Promise.race(all.map((scorer) => scorer.untilClaimed())),
      failed,
      stop: async () => {
        await Promise.all(all.map((scorer) => scorer.stop()))
        await close()
      },
    }
  } catch (error) {
    await close()
    throw error
  }
}

export const environmentOf = ({ stack, prefix, groupId }: BenchEnvironment) => ({
  WEIR_KAFKA_BROKERS: stack.kafkaBrokers.join(','),
  WEIR_REDIS_URL: stack.redisUrl,
  WEIR_REGISTRY_URL: stack.registryUrl,
  WEIR_TOPIC_PREFIX: prefix,
  WEIR_KEY_PREFIX: prefix,
  WEIR_GROUP_ID: groupId,
  WEIR_LOG_LEVEL: 'info',
})
