// `npm run simulate [-- --worlds N --seed S --kind K --story --json]`: seeded worlds without end.
//
// In: how many, from which seed on. Out: what they came to; exit code 1 if one of them ended as it
// should not. With --story one world is told in full. Several may run side by side from other
// seeds.

import { parseArgs } from 'node:util'
import type { ReaderEnd } from './reader-world.ts'
import { runReplayWorld } from './replay-world.ts'
import { runRolloutWorld } from './rollout-world.ts'
import { crowd } from './scenario.ts'
import { machineNowMs } from './virtual-time.ts'
import { runWorld, type WorldEnd } from './world.ts'

const kinds = ['scoring', 'crowded', 'rollout', 'replay'] as const
type Kind = (typeof kinds)[number]

type End = WorldEnd | ReaderEnd

const STORY_LINES = 100_000

/** Of ten worlds eight are of scorers, two of them crowded; one of a rollout, one of a replay. */
const kindOf = (seed: number): Kind => {
  const ofTen: Partial<Record<number, Kind>> = {
    6: 'crowded',
    7: 'crowded',
    8: 'rollout',
    9: 'replay',
  }
  return ofTen[seed % 10] ?? 'scoring'
}

function run(kind: Kind, seed: number, storyLines: number): Promise<End> {
  if (kind === 'rollout') return runRolloutWorld(seed, { storyLines })
  if (kind === 'replay') return runReplayWorld(seed, storyLines)
  return runWorld(seed, { storyLines, ...(kind === 'crowded' ? { adjust: crowd } : {}) })
}

const { values } = parseArgs({
  options: {
    worlds: { type: 'string', default: '100000' },
    seed: { type: 'string', default: '1' },
    kind: { type: 'string' },
    story: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
  },
})
const wanted = kinds.find((kind) => kind === values.kind)
const first = Number(values.seed)
const count = values.story ? 1 : Number(values.worlds)
if (!Number.isSafeInteger(first) || !Number.isSafeInteger(count)) {
  console.error('--seed and --worlds are whole numbers')
  process.exit(2)
}

const startedMs = machineNowMs()
const faults: { seed: number; kind: Kind; fault: string }[] = []
let refusals = 0
let virtualMs = 0
for (let seed = first; seed < first + count; seed++) {
  const kind = wanted ?? kindOf(seed)
  const end = await run(kind, seed, values.story ? STORY_LINES : 40)
  virtualMs += end.virtualMs
  if ('refusal' in end && end.refusal !== null) refusals++
  if (values.story)
    console.log(
      [...end.story, ...('scenario' in end ? [JSON.stringify(end.scenario)] : [])].join('\n'),
    )
  if (end.fault === null) continue
  faults.push({ seed, kind, fault: end.fault })
  if (!values.json) console.log(`seed ${seed} (${kind}): ${end.fault}`)
}
const seconds = (machineNowMs() - startedMs) / 1000
const result = {
  worlds: count,
  seed: first,
  faults,
  refusals,
  virtualHours: Math.round(virtualMs / 36_000) / 100,
  seconds: Math.round(seconds * 10) / 10,
  worldsPerSecond: Math.round((count / seconds) * 10) / 10,
}
if (values.json) console.log(JSON.stringify(result))
else {
  console.log(
    `${count} worlds from seed ${first} on, ${result.virtualHours} virtual hours in ${result.seconds} s ` +
      `(${result.worldsPerSecond} a second): ${faults.length} faults, ${refusals} named refusals`,
  )
}
process.exit(faults.length === 0 ? 0 : 1)
