// `npm run chaos [-- --seconds N --seed S --campaign NAME --json --write]`: faults under load.
//
// In: long flags. Out: a line per fault, a table of campaigns and outcomes; with --json one object
// on the last line, with --write docs/reference/chaos.md anew. Exit code 0 when every campaign is
// clean, 1 when one is not or something failed, 130 after Ctrl-C (what was done is still judged; a
// second one ends at once). Invariant: nothing is left running.

import { InvalidArgumentError, program } from 'commander'
import { exitCodeOf, isTold, throwOnExit } from '../../services/core/exit-code.ts'
import { type CampaignName, campaignNames, usualCampaigns } from './campaigns.ts'
import { tableOf, writePage } from './chaos-page.ts'
import { runChaos } from './run-chaos.ts'

type Flags = {
  readonly seconds: number
  readonly seed: number
  readonly rate: number
  readonly campaign?: CampaignName[]
  readonly pipeline: string
  readonly json?: true
  readonly write?: true
}

const countFrom =
  (min: number, max: number) =>
  (text: string): number => {
    const count = Number(text)
    if (/^\d+$/.test(text) && count >= min && count <= max) return count
    throw new InvalidArgumentError(`Expected a whole number from ${min} to ${max}.`)
  }

const toNames = (text: string): CampaignName[] =>
  text.split(',').map((word) => {
    const name = campaignNames.find((known) => known === word)
    if (name !== undefined) return name
    throw new InvalidArgumentError(`Expected some of ${campaignNames.join(', ')}.`)
  })

program
  .name('chaos')
  .description('hurts scorers, brokers, Redis and the network under load, and counts what was lost')
  .option(
    '--seconds <n>',
    'of traffic and faults, shared by the campaigns',
    countFrom(1, 86_400),
    600,
  )
  .option('--seed <n>', 'of the faults, the traffic and the world', countFrom(0, 2 ** 31), 1)
  .option('--rate <n>', 'events a second', countFrom(1, 100_000), 300)
  .option('--campaign <names>', 'some of them, with commas', toNames)
  .option('--pipeline <file>', 'pipeline file', 'pipelines/card-fraud.yaml')
  .option('--json', 'print one JSON object on the last line')
  .option('--write', 'write docs/reference/chaos.md from this run')
const stopping = new AbortController()
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.on(signal, () => {
    if (stopping.signal.aborted) process.exit(130)
    stopping.abort()
  })
}

const say = (line: string): void => void process.stdout.write(`${line}\n`)
throwOnExit(program)
try {
  const flags = program.parse().opts<Flags>()
  const { seconds, seed, rate, pipeline: pipelineFile, campaign = usualCampaigns } = flags
  const stop = stopping.signal
  const result = await runChaos({
    campaigns: campaign,
    seconds,
    seed,
    rate,
    pipelineFile,
    say,
    stop,
  })
  for (const line of ['', ...tableOf(result), '']) say(line)
  if (flags.write === true) say(`wrote ${writePage(result)}`)
  if (flags.json === true) say(JSON.stringify(result))
  process.exitCode = result.campaigns.every(({ failures }) => failures.length === 0) ? 0 : 1
} catch (error) {
  const detail = error instanceof Error ? error.message : String(error)
  if (!isTold(error)) process.stderr.write(`chaos: ${detail}\n`)
  process.exitCode = exitCodeOf(error)
}
if (stopping.signal.aborted) process.exitCode = 130
