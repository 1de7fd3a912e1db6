// One run of a case: stack up, place opened, measured, told, everything removed again.
//
// In: flags and the case as a function of its place. Out: the result as JSON on standard output,
// its verdicts in words on standard error; kept and on the page where --write asks for it. Refused:
// what stack and place refuse. Invariants: endpoints given in the environment are used instead of a
// stack of its own, and are left running; wrong records make the exit code 1.

import { writeFileSync } from 'node:fs'
import { relative, resolve } from 'node:path'
import { repositoryFolder } from '../../dev/stack/repository.ts'
import { startStack } from '../../dev/stack/stack.ts'
import { loadPipelineFile } from '../../services/adapters/pipeline-file/pipeline-file.ts'
import type { PipelineDefinition } from '../../services/core/pipeline-definition.ts'
import {
  type BenchEnvironment,
  benchPipelineFile,
  usePlace,
} from './environment/bench-environment.ts'
import { judge } from './page/bars.ts'
import {
  type BenchCase,
  type BenchResult,
  findOffences,
  formatResult,
  keepResult,
  noteCircumstances,
  readResults,
} from './page/bench-result.ts'
import { benchmarksPage, renderBenchmarks } from './page/benchmarks-page.ts'

export type CaseFlags = {
  readonly pipeline?: string
  readonly json?: true
  readonly write?: true
}

export const say = (line: string): void => {
  process.stderr.write(`bench: ${line}\n`)
}

export async function runCase(
  flags: CaseFlags,
  measure: (place: BenchEnvironment) => Promise<BenchCase>,
) {
  const stack = await startStack({ name: 'bench', say })
  try {
    await usePlace(stack, flags.pipeline, async (place) => {
      const circumstances = noteCircumstances(place)
      const result: BenchResult = { ...(await measure(place)), ...circumstances }
      tell(result, flags)
    })
  } finally {
    await stack.stop()
  }
}

/** A case that needs a pipeline file and no servers. */
export async function runFileCase(
  flags: CaseFlags,
  measure: (definition: PipelineDefinition, pipelineFile: string) => Promise<BenchCase>,
) {
  const pipelineFile = resolve(flags.pipeline ?? benchPipelineFile)
  const definition = loadPipelineFile(pipelineFile)
  const circumstances = noteCircumstances({ definition, stack: { kind: 'none' } })
  tell({ ...(await measure(definition, pipelineFile)), ...circumstances }, flags)
}

function tell(result: BenchResult, { json, write }: CaseFlags): void {
  if (write) {
    keepResult(result)
    writeFileSync(benchmarksPage, renderBenchmarks(readResults()))
    say(`wrote ${relative(repositoryFolder, benchmarksPage)}`)
  }
  for (const { figure, measured, bar, goal, verdict } of judge(result)) {
    say(`${figure}: ${measured} (bar ${bar || 'none'}, goal ${goal || 'none'}): ${verdict}`)
  }
  const offences = findOffences(result)
  for (const offence of offences) say(offence)
  if (offences.length > 0) process.exitCode = 1
  process.stdout.write(`${formatResult(result, json ? 0 : 2)}\n`)
}
