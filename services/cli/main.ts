// The `weir` command: one subcommand per entry point.
//
// In: the command line and WEIR_* variables. Out: exit code 0, 1 for trouble or a failed check, 2
// for what a restart does not help, flags among it (core/exit-code.ts decides). A WeirError is told
// in one line, without a stack.

import { program } from 'commander'
import { WeirError } from '../core/errors.ts'
import { exitCodeOf, isTold, throwOnExit } from '../core/exit-code.ts'
import { addDoctor } from './doctor-command.ts'
import { addModelPublishing } from './model-publishing.ts'
import { addModelsExport } from './models-export-command.ts'
import { addModelsRoster } from './models-roster-command.ts'
import { addModelsShow } from './models-show-command.ts'
import { addModelsValidate } from './models-validate-command.ts'
import { addParity } from './parity-command.ts'
import { addRebuild } from './rebuild-command.ts'
import { addReplay } from './replay-command.ts'
import { addRollout } from './rollout-command.ts'
import { addTry } from './try-command.ts'
import { addTopics } from './wire-topics.ts'

program.name('weir').description('streaming fraud classification: Kafka in, scored Kafka out')

program
  .command('score')
  .description('score the transactions topic until stopped')
  .option('--pipeline <file>', 'pipeline file', 'pipelines/card-fraud.yaml')
  .action(async ({ pipeline }: { pipeline: string }) => {
    const { runScorer } = await import('../scorer/main.ts')
    await runScorer(pipeline)
  })

addDoctor(program)
addModelPublishing(program)
addModelsExport(program)
addModelsRoster(program)
addModelsShow(program)
addModelsValidate(program)
addParity(program)
addRebuild(program)
addReplay(program)
addRollout(program)
addTopics(program)
addTry(program)

throwOnExit(program)
try {
  await program.parseAsync()
} catch (error) {
  if (!(error instanceof WeirError || isTold(error))) throw error
  if (!isTold(error)) process.stderr.write(`${(error as Error).message}\n`)
  process.exitCode = exitCodeOf(error)
}
