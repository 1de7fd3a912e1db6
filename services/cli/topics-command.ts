// `weir topics apply` and `weir topics check`: flags in, brokers and registry brought to the plan,
// or the differences shown.
//
// `check` changes nothing and ends with exit code 1 where anything differs. `apply` shows what it
// would do and asks; `--yes` answers for a script, `--dry-run` ends there. Refused, before anything
// is changed: what apply refuses (adapters/kafka/topics/topic-admin.ts), and nobody to ask, as
// WEIR_SETTINGS_INVALID. With --json the last line is one object: {command, topics, differences}.
// Names and retention come from the pipeline file; without --pipeline they are the defaults of
// docs/reference/topics.md.

import type { Command } from 'commander'
import { InvalidArgumentError } from 'commander'
import { askBroker } from '../adapters/kafka/client/broker-answer.ts'
import type { Kafka } from '../adapters/kafka/client/kafka-client.ts'
import type { TopicAdmin } from '../adapters/kafka/topics/found-topics.ts'
import { carryOut, checkTopics, judgeTopics } from '../adapters/kafka/topics/topic-admin.ts'
import type { TopicDifference } from '../adapters/kafka/topics/topic-differences.ts'
import { isDone } from '../adapters/kafka/topics/topic-steps.ts'
import { topicPlan, topicsOf } from '../adapters/kafka/topics/topics.ts'
import type { Registry } from '../adapters/registry/schema-registry.ts'
import { WeirError } from '../core/errors.ts'
import type { PipelineDefinition } from '../core/pipeline-definition.ts'
import { describeDifferences } from './topics-report.ts'

/** What the command line is wired to; an undefined address means the one of the environment. */
type TopicsCommandDeps = {
  readonly openKafka: (brokers: readonly string[] | undefined) => Kafka
  readonly openRegistry: (url: string | undefined) => Registry
  readonly readPipeline: (pipelineFile: string) => Promise<PipelineDefinition>
  readonly print: (line: string) => void
  /** Asks whoever sits there; null = nobody does. */
  readonly ask: ((question: string) => Promise<boolean>) | null
}

type Flags = {
  readonly pipeline?: string
  readonly brokers?: readonly string[]
  readonly registry?: string
  readonly prefix?: string
  readonly partitions?: number
  readonly replication?: number
  readonly addPartitions?: boolean
  readonly dryRun?: boolean
  readonly yes?: boolean
  readonly json?: boolean
}

export function addTopicsCommand(program: Command, deps: TopicsCommandDeps): void {
  const topics = program.command('topics').description('topics and schemas of a pipeline')
  const apply = topics
    .command('apply')
    .description('show what is missing or too little, ask, make and raise it, register schemas')
    .option('--dry-run', 'show what apply would do and change nothing')
    .option('--yes', 'do not ask: for scripts')
    .option('--add-partitions', 'allow apply to add partitions to outputs that exist')
  const check = topics
    .command('check')
    .description('show what differs; exit code 1 if anything does')
  for (const command of [apply, check]) addFlags(command)

  apply.action((flags: Flags) => withTopics(deps, flags, (admin) => runApply(deps, flags, admin)))
  check.action((flags: Flags) =>
    withTopics(deps, flags, async (admin) => {
      const differences = await checkTopics(admin)
      if (differences.length > 0) process.exitCode = 1
      tell(deps, flags, { command: 'check', admin, differences, verdict: 'differ' })
    }),
  )
}

async function runApply(deps: TopicsCommandDeps, flags: Flags, admin: TopicAdmin): Promise<void> {
  const differences = await judgeTopics(admin)
  const outcome = { command: 'apply', admin, differences } as const
  if (flags.dryRun === true) return tell(deps, flags, { ...outcome, verdict: 'would change' })
  if (differences.some(isDone) && flags.yes !== true) {
    if (!(await isAgreed(deps, flags, outcome))) return
  }
  await carryOut(admin, differences)
  tell(deps, flags, { ...outcome, verdict: 'changed' })
}

async function isAgreed(
  { ask, print }: TopicsCommandDeps,
  { json }: Flags,
  { admin, differences }: Pick<Outcome, 'admin' | 'differences'>,
): Promise<boolean> {
  if (ask === null || json === true) {
    const detail =
      'weir topics apply: found no terminal to ask before it changes anything, expected --yes ' +
      '(or --dry-run, which only shows). Nothing was changed.'
    throw new WeirError('WEIR_SETTINGS_INVALID', detail)
  }
  for (const line of describeDifferences(differences)) print(line)
  const count = differences.filter(isDone).length
  if (await ask(`Change ${count} settings of ${admin.plan.length} topics with their schemas?`)) {
    return true
  }
  print('Nothing was changed.')
  process.exitCode = 1
  return false
}

function addFlags(command: Command): void {
  command
    .option('--pipeline <file>', 'pipeline file: names of topics, how long they are kept')
    .option('--brokers <host:port,...>', 'Kafka brokers', (text) => text.split(','))
    .option('--registry <url>', 'schema registry, Confluent API')
    .option('--prefix <text>', 'put before every topic name')
    .option('--partitions <count>', 'partitions of inputs and their outputs', parseCount)
    .option('--replication <count>', 'replicas of each partition', parseCount)
    .option('--json', 'print one JSON object; apply then takes --yes or --dry-run')
}

function parseCount(text: string): number {
  if (/^[1-9]\d{0,5}$/.test(text)) return Number(text)
  throw new InvalidArgumentError('Expected a whole number from 1.')
}

async function withTopics(
  deps: TopicsCommandDeps,
  flags: Flags,
  act: (admin: TopicAdmin) => Promise<void>,
): Promise<void> {
  const { prefix, partitions, replication, addPartitions: mayAddPartitions = false } = flags
  const ofFile =
    flags.pipeline === undefined ? {} : topicsOf(await deps.readPipeline(flags.pipeline))
  const plan = topicPlan({
    ...ofFile,
    ...(prefix === undefined ? {} : { prefix }),
    ...(partitions === undefined ? {} : { partitions }),
    ...(replication === undefined ? {} : { replication }),
  })
  const admin = deps.openKafka(flags.brokers).admin()
  const registry = deps.openRegistry(flags.registry)
  try {
    await askBroker(() => admin.connect())
    await act({ admin, registry, plan, mayAddPartitions })
  } finally {
    await registry.close()
    await admin.disconnect()
  }
}

type Outcome = {
  readonly command: 'apply' | 'check'
  readonly admin: TopicAdmin
  readonly differences: readonly TopicDifference[]
  readonly verdict: 'differ' | 'would change' | 'changed'
}

function tell({ print }: TopicsCommandDeps, flags: Flags, outcome: Outcome): void {
  const { command, differences, verdict } = outcome
  const topics = outcome.admin.plan.map(({ topic }) => topic)
  if (flags.json === true) {
    const isDryRun = flags.dryRun === true
    print(JSON.stringify({ command, ...(isDryRun ? { isDryRun } : {}), topics, differences }))
    return
  }
  for (const line of describeDifferences(differences)) print(line)
  const count = (command === 'check' ? differences : differences.filter(isDone)).length
  print(`${topics.length} topics with their schemas: ${count} settings ${verdict}.`)
}
