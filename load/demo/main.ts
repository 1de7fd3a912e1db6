// `npm run demo [-- --seconds N --rate R --json]`: the main job on a real stack, with live traffic.
//
// In: long flags. Out: what is being set up, a table, a summary; with --json one object on the last
// line. Exit code 0 when the books balance, 1 when they do not or something failed, 130 after
// Ctrl-C (which still settles what was sent; a second Ctrl-C ends at once). Invariant: nothing is
// left running: the servers and the scorer hang on supervisors that end with this process.

import { InvalidArgumentError, program } from 'commander'
import { exitCodeOf, isTold, throwOnExit } from '../../services/core/exit-code.ts'
import { runDemo } from './run-demo.ts'

type Flags = {
  readonly seconds: number
  readonly rate: number
  readonly seed: number
  readonly pipeline: string
  readonly json?: boolean
}

const countFrom =
  (min: number, max: number) =>
  (text: string): number => {
    const count = Number(text)
    if (/^\d+$/.test(text) && count >= min && count <= max) return count
    throw new InvalidArgumentError(`Expected a whole number from ${min} to ${max}.`)
  }

program
  .name('demo')
  .description('scores live traffic on a real stack and proves that nothing was lost')
  .option('--seconds <n>', 'how long to send', countFrom(1, 3600), 30)
  .option('--rate <n>', 'events a second', countFrom(1, 100_000), 1000)
  .option('--seed <n>', 'of the simulated world', countFrom(0, 2 ** 31), 1)
  .option('--pipeline <file>', 'pipeline file', 'pipelines/card-fraud.yaml')
  .option('--json', 'print one JSON object on the last line')
const stopping = new AbortController()
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.on(signal, () => {
    if (stopping.signal.aborted) process.exit(130)
    stopping.abort()
  })
}

throwOnExit(program)
try {
  const flags = program.parse().opts<Flags>()
  const { seconds, rate, seed, pipeline } = flags
  const say = (line: string) => void process.stdout.write(`${line}\n`)
  const stop = stopping.signal
  const result = await runDemo({ seconds, rate, seed, pipelineFile: pipeline, say, stop })
  if (flags.json === true) say(JSON.stringify(result))
  process.exitCode = result.faults.length > 0 ? 1 : 0
} catch (error) {
  const detail = error instanceof Error ? error.message : String(error)
  if (!isTold(error)) process.stderr.write(`demo: ${detail}\n`)
  process.exitCode = exitCodeOf(error)
}
if (stopping.signal.aborted) process.exitCode = 130
