// `npm run bench -- drain` and the other cases of this folder, as commands: latency, fold, limit,
// replay, isolation, crossover, swaps, rollback, verdicts, codec.
//
// In: a case and its flags. Out: what run-case.ts tells: the figures in words, or with --json as
// one object on the last line; with --write they are kept and docs/benchmarks.md is written anew.
// Refused: unknown flags and counts out of range, before a case's code is even loaded. Exit codes:
// 0; 1 for records that are missing, doubled or lost, and for trouble.

import { Command, InvalidArgumentError } from 'commander'
import { exitCodeOf, isTold, throwOnExit } from '../../services/core/exit-code.ts'
import type { CaseFlags } from './run-case.ts'

type DrainFlags = CaseFlags & {
  events: number
  processes: number
  rehearse: number
  profile?: true
}
type LatencyFlags = CaseFlags & {
  rate: number
  seconds: number
  warmUp: number
  rehearse: number
}
type SwapsFlags = CaseFlags & { rate: number; swaps: number; seconds: number }
type ReplayFlags = CaseFlags & {
  transactions: number
  runs: number
  featuresOnly?: true
  profile?: true
}
type IsolationFlags = CaseFlags & {
  events: number
  rate: number
  seconds: number
  warmUp: number
  history: number
  rounds: number
  rehearse: number
}

const count =
  (max: number, min = 1) =>
  (text: string) => {
    const value = /^\d{1,9}$/.test(text) ? Number(text) : -1
    if (value >= min && value <= max) return value
    throw new InvalidArgumentError(`Expected a whole number from ${min} to ${max}.`)
  }

const program = new Command('bench').description('measures Weir on the real stack')

function addCase(name: string, description: string): Command {
  return program
    .command(name)
    .description(description)
    .option('--pipeline <file>', 'pipeline file, load/bench/pipelines/pipeline.yaml unless given')
    .option('--json', 'print one JSON object on the last line')
    .option('--write', 'keep the result and write docs/benchmarks.md anew')
}

const rehearsal = ['transactions drained before, uncounted', count(1e7, 0), 100_000] as const

addCase('drain', 'a backlog of 4 partitions, scored exactly once')
  .option('--events <count>', 'transactions of the backlog', count(10_000_000), 300_000)
  .option('--processes <count>', 'scorers', count(16), 1)
  .option('--rehearse <count>', ...rehearsal)
  .option('--profile', 'where the time goes, in place of the throughput')
  .action(async ({ events, processes, rehearse, profile, ...flags }: DrainFlags) => {
    const { runCase, say } = await import('./run-case.ts')
    const { runDrain } = await import('./cases/drain.ts')
    const { runProfile } = await import('./cases/profile.ts')
    const shared = { events, rehearsedEvents: rehearse, say }
    await runCase(flags, (place) =>
      profile ? runProfile(place, shared) : runDrain(place, { ...shared, processes }),
    )
  })
addCase('latency', 'due time to visibility, in open loop')
  .option('--rate <count>', 'events per second', count(1_000_000), 2_000)
  .option('--seconds <count>', 'seconds that are measured', count(86_400), 60)
  .option('--warm-up <count>', 'seconds before them', count(3_600), 10)
  .option('--rehearse <count>', ...rehearsal)
  .action(async ({ rate, seconds, warmUp, rehearse, ...flags }: LatencyFlags) => {
    const { runCase, say } = await import('./run-case.ts')
    const { runLatency } = await import('./cases/latency.ts')
    const options = { rate, seconds, warmUpSeconds: warmUp, rehearsedEvents: rehearse, say }
    await runCase(flags, (place) => runLatency(place, options))
  })
addCase('fold', 'cost and size of hot entities, a million events dealt out to fewer and fewer')
  .option('--events <count>', 'events of each row', count(100_000_000), 1_000_000)
  .action(async ({ events, ...flags }: CaseFlags & { events: number }) => {
    const { hotPipelineFile, runFold } = await import('./cases/fold.ts')
    const { runCase, say } = await import('./run-case.ts')
    await runCase({ pipeline: hotPipelineFile, ...flags }, (place) =>
      runFold(place, { events, say }),
    )
  })
addCase('limit', 'what kafkajs reaches when it only copies, stock and accelerated')
  .option('--events <count>', 'records to copy', count(10_000_000), 300_000)
  .action(async ({ events, ...flags }: CaseFlags & { events: number }) => {
    const { runCase } = await import('./run-case.ts')
    const { runLimit } = await import('./cases/limit.ts')
    const { prefill } = await import('./environment/prefill-environment.ts')
    await runCase(flags, async (place) => {
      await prefill(place, events)
      return runLimit(place, events)
    })
  })
addCase('replay', 'files to features and scores: speed, memory, and SQL beside it')
  .option('--transactions <count>', 'length of the history', count(10_000_000), 200_000)
  .option('--runs <count>', 'of each kind; the median is told', count(99), 3)
  .option('--features-only', 'without a model')
  .option('--profile', 'where the time of one run goes, in place of the speed')
  .action(async ({ transactions, runs, featuresOnly, profile, ...flags }: ReplayFlags) => {
    const { runFileCase, say } = await import('./run-case.ts')
    const { runReplayBench } = await import('./cases/replay.ts')
    const { runReplayProfile } = await import('./cases/replay-profile.ts')
    const shared = { events: transactions, isFeaturesOnly: featuresOnly === true, say }
    await runFileCase(flags, (definition, pipelineFile) =>
      profile
        ? runReplayProfile({ pipelineFile, ...shared })
        : runReplayBench({ definition, pipelineFile, runs, ...shared }),
    )
  })
addCase(
  'isolation',
  'drain and latency alone, beside a replay, and beside one of the lowest priority',
)
  .option('--events <count>', 'transactions of each backlog', count(10_000_000), 300_000)
  .option('--rate <count>', 'events per second of the latencies', count(1_000_000), 2_000)
  .option('--seconds <count>', 'seconds that are measured', count(86_400), 30)
  .option('--warm-up <count>', 'seconds before them', count(3_600), 10)
  .option('--history <count>', 'transactions of the replay', count(10_000_000), 300_000)
  .option('--rounds <count>', 'of all three; the median is told', count(99), 3)
  .option('--rehearse <count>', ...rehearsal)
  .action(async (found: IsolationFlags) => {
    const { events, rate, seconds, warmUp, history, rounds, rehearse, ...flags } = found
    const { runCase, say } = await import('./run-case.ts')
    const { runIsolation } = await import('./cases/isolation.ts')
    const lengths = { events, rate, seconds, warmUpSeconds: warmUp, history, rounds }
    const options = { ...lengths, rehearsedEvents: rehearse, say }
    await runCase(flags, (place) => runIsolation(place, options))
  })
addCase('crossover', 'rows/s by provider, graph and batch size, and which provider to pick')
  .option('--seconds <count>', 'of each provider, graph and batch size', count(3_600), 1)
  .action(async ({ seconds, ...flags }: CaseFlags & { seconds: number }) => {
    const { runFileCase, say } = await import('./run-case.ts')
    const { runCrossover } = await import('./cases/crossover.ts')
    const { renderCrossover } = await import('./page/crossover-section.ts')
    await runFileCase(flags, async (definition) => {
      const found = await runCrossover({ definition, seconds, say })
      process.stderr.write(`\n${renderCrossover(found)}\n\n`)
      return found
    })
  })
addCase('swaps', 'models changed under load: latency, memory, time to take effect')
  .option('--rate <count>', 'events per second', count(1_000_000), 1_000)
  .option('--swaps <count>', 'that load models', count(10_000), 100)
  .option('--seconds <count>', 'quiet time before and after them', count(3_600), 30)
  .action(async ({ rate, swaps, seconds, ...flags }: SwapsFlags) => {
    const { runCase, say } = await import('./run-case.ts')
    const { openSwapShelf, runSwaps } = await import('./cases/swaps.ts')
    const shelf = openSwapShelf(flags.pipeline)
    try {
      await runCase({ ...flags, pipeline: shelf.pipelineFile }, (place) =>
        runSwaps(place, { rate, swaps, quietSeconds: seconds, say }),
      )
    } finally {
      shelf.remove()
    }
  })
addCase('rollback', "from a challenger's first failure to the first event without it")
  .option('--rate <count>', 'events per second', count(1_000_000), 1_000)
  .option('--rounds <count>', 'of a bad challenger', count(1_000), 20)
  .action(async ({ rate, rounds, ...flags }: CaseFlags & { rate: number; rounds: number }) => {
    const { runCase, say } = await import('./run-case.ts')
    const { openRollbackShelf, runRollback } = await import('./cases/rollback.ts')
    const shelf = openRollbackShelf()
    try {
      await runCase({ ...flags, pipeline: shelf.pipelineFile }, (place) =>
        runRollback(place, { rate, rounds, say }),
      )
    } finally {
      shelf.remove()
    }
  })
addCase('verdicts', "how often the rollout's sequential tests are wrong, by simulation")
  .option('--rollouts <count>', 'simulated, of each kind', count(1_000_000), 10_000)
  .action(async ({ rollouts, ...flags }: CaseFlags & { rollouts: number }) => {
    const { runFileCase } = await import('./run-case.ts')
    const { simulateVerdicts } = await import('./cases/verdicts.ts')
    await runFileCase(flags, async () =>
      simulateVerdicts({ rollouts, looks: 200, alpha: 0.05, seed: 1 }),
    )
  })
addCase('codec', 'bytes and CPU per scored event, by codec and batch size')
  .option('--seconds <count>', 'of each codec and batch size', count(3_600), 1)
  .action(async ({ seconds, ...flags }: CaseFlags & { seconds: number }) => {
    const { runFileCase } = await import('./run-case.ts')
    const { runCodec } = await import('./cases/codec.ts')
    const { renderCodecs } = await import('./page/codec-section.ts')
    await runFileCase(flags, async (definition) => {
      const found = await runCodec(definition, { seconds })
      process.stderr.write(`\n${renderCodecs(found)}\n\n`)
      return found
    })
  })

throwOnExit(program)
try {
  await program.parseAsync()
} catch (error) {
  const detail = error instanceof Error ? error.message : String(error)
  if (!isTold(error)) process.stderr.write(`bench: ${detail}\n`)
  process.exitCode = exitCodeOf(error)
}
