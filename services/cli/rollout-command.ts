// `weir rollout`: watches the challenger on trial until it is told to stop.
//
// In: the pipeline file with its `rollout` rules, the settings of the place. Out: one line for
// every trial, verdict and change, on stdout, with --json as objects. Exit codes: 0 stopped by
// SIGTERM or SIGINT, 1 trouble that a restart may cure, 2 refused at start.

import type { Command } from 'commander'
import { loadPipelineFile } from '../adapters/pipeline-file/pipeline-file.ts'
import { createLogger } from '../adapters/prometheus/logger.ts'
import { readSettings } from '../core/settings.ts'
import type { RolloutLine } from '../rollout/run-rollout.ts'
import { runRollout } from '../rollout/start-rollout.ts'
import type { Trial } from '../rollout/trial.ts'

type Flags = { readonly pipeline: string; readonly json?: boolean }

export function addRollout(program: Command): void {
  program
    .command('rollout')
    .description('watch the challenger on trial: advance, pause or roll back by the rules')
    .option('--pipeline <file>', 'pipeline file', 'pipelines/card-fraud.yaml')
    .option('--json', 'print JSON lines')
    .action(rollout)
}

async function rollout({ pipeline, json = false }: Flags): Promise<void> {
  const settings = readSettings(process.env)
  const definition = loadPipelineFile(pipeline, { topicPrefix: settings.topicPrefix })
  const { logLevel, instanceId: instance } = settings
  // Lines of this service go to stdout, those of its clients only where somebody asks for them.
  const level = logLevel === 'debug' ? 'debug' : 'error'
  const logger = createLogger({ level, name: 'weir-rollout', instance })
  const stop = new AbortController()
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => stop.abort())
  const tell = (line: RolloutLine): void => {
    const time = new Date().toISOString()
    const text = json ? JSON.stringify({ time, ...line }) : `${time}  ${describe(line)}`
    process.stdout.write(`${text}\n`)
  }
  await runRollout({ definition, settings, logger, tell }, stop.signal)
}

function describe(line: RolloutLine): string {
  switch (line.what) {
    case 'trial':
      return line.trial === null ? 'nobody is on trial' : `on trial: ${nameTrial(line.trial)}`
    case 'verdict':
      return `${line.verdict.action.replace('_', ' ')}: ${line.verdict.reasons.join('; ')}`
    case 'changed':
      return `epoch ${line.step.after.epoch}: ${line.step.action} of ${nameTrial(line.trial)}`
    case 'overtaken':
      return `not changed: ${line.detail}`
  }
}

function nameTrial({ challenger, champion, share, isRolledBack }: Trial): string {
  const where = share === 0 ? 'in the shadow' : `for ${Math.round(share * 100)} %`
  const held = isRolledBack ? ', rolled back before: it does not advance by itself' : ''
  return `${challenger.name} ${challenger.version} beside ${champion.version}, ${where}${held}`
}
