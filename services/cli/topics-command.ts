// `weir topics apply` and `weir topics check`: flags in, brokers and registry brought to the plan, or
// the differences shown.
//
// `check` changes nothing and ends with exit code 1 where anything differs; `apply` may be run again
// at any time and throws what it refuses, before anything is created. With --json the last line is
// one object: {command, topics, differences}. The topics' names come from the pipeline file's
// `topics:` section; without --pipeline they are the defaults of docs/reference/topics.md.

import type { Command } from 'commander'
import { InvalidArgumentError } from 'commander'
import { askBroker } from '../adapters/kafka/client/broker-answer.ts'
import type { Kafka } from '../adapters/kafka/client/kafka-client.ts'
import { applyTopics, checkTopics } from '../adapters/kafka/topics/topic-admin.ts'
import type { TopicAdmin, TopicDifference } from '../adapters/kafka/topics/topic-differences.ts'
import { topicPlan } from '../adapters/kafka/topics/topics.ts'
import type { Registry } from '../adapters/registry/schema-registry.ts'
import type { TopicNames } from '../core/pipeline-definition.ts'

/** What the command line is wired to; an undefined place means the one of the environment. */
type TopicsCommandDeps = {
  readonly openKafka: (brokers: readonly string[] | undefined) => Kafka
  readonly openRegistry: (url: string | undefined) => Registry
  readonly readTopicNames: (pipelineFile: string) => Promise<Partial<TopicNames>>
  readonly print: (line: string) => void
}

type Flags = {
  readonly pipeline?: string
  readonly brokers?: readonly string[]
  readonly registry?: string
  readonly prefix?: string
  readonly partitions?: number
  readonly replication?: number
  readonly addPartitions?: boolean
  readonly json?: boolean
}

export function addTopicsCommand(program: Command, deps: TopicsCommandDeps): void {
  const topics = program.command('topics').description('topics and schemas of a pipeline')
  const apply = topics.command('apply').description('create and mend topics, register schemas')
  const check = topics
    .command('check')
    .description('show what differs; exit code 1 if anything does')
  apply.option('--add-partitions', 'allow apply to add partitions to topics that exist')
  for (const command of [apply, check]) addFlags(command)

  apply.action(async (flags: Flags) => {
    await withTopics(deps, flags, async (admin) => {
      report(deps, flags, { command: 'apply', admin, differences: await applyTopics(admin) })
    })
  })
  check.action(async (flags: Flags) => {
    await withTopics(deps, flags, async (admin) => {
      const differences = await checkTopics(admin)
      report(deps, flags, { command: 'check', admin, differences })
      if (differences.length > 0) process.exitCode = 1
    })
  })
}

function addFlags(command: Command): void {
  command
    .option('--pipeline <file>', 'pipeline file that names the topics')
    .option('--brokers <host:port,...>', 'Kafka brokers', (text) => text.split(','))
    .option('--registry <url>', 'schema registry, Confluent API')
    .option('--prefix <text>', 'put before every topic name')
    .option('--partitions <count>', 'partitions of inputs and their outputs', parseCount)
    .option('--replication <count>', 'replicas of each partition', parseCount)
    .option('--json', 'print one JSON object')
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
  const names = flags.pipeline === undefined ? {} : await deps.readTopicNames(flags.pipeline)
  const plan = topicPlan({
    names,
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
}

function report({ print }: TopicsCommandDeps, flags: Flags, outcome: Outcome): void {
  const { command, differences } = outcome
  const topics = outcome.admin.plan.map(({ topic }) => topic)
  if (flags.json === true) {
    print(JSON.stringify({ command, topics, differences }))
    return
  }
  for (const line of differenceTable(differences)) print(line)
  const verdict = command === 'apply' ? 'changed' : 'differ'
  print(`${topics.length} topics with their schemas: ${differences.length} settings ${verdict}.`)
}

/** Columns as wide as their longest cell; the refusal, which is a sentence, comes last. */
function differenceTable(differences: readonly TopicDifference[]): string[] {
  if (differences.length === 0) return []
  const rows = differences.map((d) => [d.topic, d.setting, d.found, d.planned, d.refusal ?? ''])
  const table = [['topic', 'setting', 'found', 'planned', ''], ...rows]
  const widths = [0, 1, 2, 3, 4].map((column) =>
    Math.max(...table.map((row) => row[column]!.length)),
  )
  return table.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column]!))
      .join('  ')
      .trimEnd(),
  )
}
