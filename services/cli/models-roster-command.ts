// `weir models list | shadow | canary | promote | rollback | history`: which models run, told and
// changed.
//
// In: flags; of the environment the way to brokers and registry, and the prefix of the topics. Out:
// the roster in force, the steps so far, or the step that was made. Exit code 2: the change is
// refused by the roster itself; 1: another operator was faster, or a system is away that is needed.
// Neither Redis nor a model registry is asked for anything, and the schema registry only while it
// answers.

import { userInfo } from 'node:os'
import { type Command, InvalidArgumentError, Option } from 'commander'
import { openRosterLedger, type RosterLedger } from '../adapters/kafka/roster/roster-ledger.ts'
import { loadPipelineFile } from '../adapters/pipeline-file/pipeline-file.ts'
import { createLogger } from '../adapters/prometheus/logger.ts'
import { WeirError } from '../core/errors.ts'
import { readSettings } from '../core/settings.ts'
import { openKafka, openRegistry, quickly } from '../environment/open-environment.ts'
import { canaryShares, type RosterChange } from '../roster/roster-change.ts'
import { rosterLines, stepLine } from '../roster/roster-lines.ts'
import { modelsGroup } from './models-group.ts'

type Flags = { readonly pipeline: string; readonly json?: boolean }

type ChangeFlags = Flags & {
  readonly who?: string
  readonly why: string
  readonly epoch?: number
}

type ModelFlags = ChangeFlags & { readonly name?: string }

const percentOf = (share: number): string => String(Math.round(share * 100))

export function addModelsRoster(program: Command): void {
  const models = modelsGroup(program)
  const list = models.command('list').description('the roster in force: champion and challengers')
  withPlace(list).action(showRoster)

  const shadow = models
    .command('shadow')
    .description('let a model score beside the champion, without a say')
    .argument('<version>', 'of the model')
    .option('--remove', 'take it out of the shadow again')
  withModel(shadow).action((version: string, flags: ModelFlags & { readonly remove?: boolean }) => {
    const action = flags.remove === true ? 'unshadow' : 'shadow'
    return change(flags, (champion) => ({ action, model: modelOf(version, flags, champion) }))
  })

  const canary = models
    .command('canary')
    .description('let a challenger decide for a share of the customers')
    .argument('<version>', "of the champion's name")
    .addOption(
      new Option('--share <percent>', 'of the customers')
        .choices(canaryShares.map(percentOf))
        .makeOptionMandatory(),
    )
  withAuthor(canary).action((version: string, flags: ChangeFlags & { readonly share: string }) => {
    const share = canaryShares.find((allowed) => percentOf(allowed) === flags.share)!
    return change(flags, () => ({ action: 'canary', version, share }))
  })

  const promote = models
    .command('promote')
    .description('make the canary, or another challenger, the champion; the old one goes')
    .argument('[version]', 'of a challenger, else the canary')
  withModel(promote).action((version: string | undefined, flags: ModelFlags) => {
    if (version === undefined && flags.name !== undefined) {
      const detail = `Found --name ${flags.name} without a version, expected both or neither.`
      throw new WeirError('WEIR_SETTINGS_INVALID', detail)
    }
    return change(flags, (champion) => ({
      action: 'promote',
      model: version === undefined ? null : modelOf(version, flags, champion),
    }))
  })

  const rollback = models
    .command('rollback')
    .description('end the canary, else undo the last promotion')
    .option('--drop', 'let what is rolled back not even score in the shadow')
  withAuthor(rollback).action((flags: ChangeFlags & { readonly drop?: boolean }) =>
    change(flags, () => ({ action: 'rollback', drops: flags.drop === true })),
  )

  const history = models
    .command('history')
    .description('every change of the roster: who, why, when, what')
  withPlace(history).action(showHistory)
}

const withPlace = (command: Command): Command =>
  command
    .option('--pipeline <file>', 'pipeline file', 'pipelines/card-fraud.yaml')
    .option('--json', 'print one JSON object')

const withAuthor = (command: Command): Command =>
  withPlace(
    command
      .requiredOption('--why <sentence>', 'reason, for the audit topic')
      .option('--who <name>', 'person or guard, else the user of this process')
      .option('--epoch <n>', 'refuse unless this is the epoch in force', readEpoch),
  )

const withModel = (command: Command): Command =>
  withAuthor(command.option('--name <model>', "name of the model, else the champion's"))

function readEpoch(text: string): number {
  if (/^\d{1,15}$/.test(text)) return Number(text)
  throw new InvalidArgumentError('Expected a whole number from 0.')
}

type Model = { readonly name: string; readonly version: string }

const modelOf = (version: string, { name }: ModelFlags, champion: Model): Model => ({
  name: name ?? champion.name,
  version,
})

async function showRoster(flags: Flags): Promise<void> {
  const { inForce } = await withLedger(flags, (ledger) => ledger.read())
  print(flags, inForce, rosterLines(inForce))
}

async function showHistory(flags: Flags): Promise<void> {
  const { inForce, steps } = await withLedger(flags, (ledger) => ledger.read())
  const { pipeline } = inForce
  const none = `${pipeline}: the roster was never changed`
  print(flags, { pipeline, steps }, steps.length === 0 ? [none] : steps.map(stepLine))
}

async function change(
  flags: ChangeFlags,
  choose: (champion: Model) => RosterChange,
): Promise<void> {
  const { why, who = readUser(), epoch = null } = flags
  const author = { who, why, whenMs: Date.now() }
  const step = await withLedger(flags, (ledger) => ledger.change(choose, { author, epoch }))
  print(flags, step, [stepLine(step)])
}

/** The ledger of a pipeline file's place, for one question or one change. */
export async function withLedger<T>(
  { pipeline }: Pick<Flags, 'pipeline'>,
  act: (ledger: RosterLedger) => Promise<T>,
): Promise<T> {
  const settings = readSettings(process.env)
  const definition = loadPipelineFile(pipeline, { topicPrefix: settings.topicPrefix })
  const instance = settings.instanceId
  const logger = createLogger({ level: 'silent', name: 'weir-models', instance })
  const registry = openRegistry(settings, quickly)
  try {
    const kafka = openKafka(settings, logger, 'models')
    return await act(openRosterLedger({ kafka, registry, definition }))
  } finally {
    await registry.close()
  }
}

/** A container's user may have no name. */
function readUser(): string {
  try {
    return userInfo().username
  } catch {
    return `uid ${process.getuid?.() ?? 'unknown'}`
  }
}

function print({ json }: Flags, outcome: object, lines: readonly string[]): void {
  const text = json === true ? JSON.stringify(outcome) : lines.join('\n')
  process.stdout.write(`${text}\n`)
}
