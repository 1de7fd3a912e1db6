// `weir topics` on the real stack: what it prints and how it ends.

import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { Command } from 'commander'
import { beforeAll, expect, onTestFinished, test } from 'vitest'
import { repositoryFolder } from '../../dev/stack/repository.ts'
import { createKafka } from '../../services/adapters/kafka/client/kafka-client.ts'
import { connectRegistry } from '../../services/adapters/registry/schema-registry.ts'
import { addTopicsCommand } from '../../services/cli/topics-command.ts'
import type { PipelineDefinition } from '../../services/core/pipeline-definition.ts'
import { customer, DAY_MS, pipelineOf, windowFeature } from '../support/pipelines.ts'
import { type TestStack, testStack, uniqueName } from '../support/stack.ts'

const ignore = () => {}
const logger = { debug: ignore, info: ignore, warn: ignore, error: ignore }

let stack: TestStack
beforeAll(async () => {
  stack = await testStack()
})

type Run = { readonly lines: readonly string[]; readonly exitCode: typeof process.exitCode }

const openKafka = (brokers: readonly string[] | undefined) =>
  createKafka({ brokers: brokers ?? stack.kafkaBrokers, clientId: 'topics-test', logger })

const pipelineNamed = (file: string): PipelineDefinition => {
  const windowMs = 90 * DAY_MS
  const features = [windowFeature({ entity: 'customer', op: 'count', windowMs })]
  const definition = pipelineOf({ entities: [customer], features })
  const topics = { ...definition.topics, transactions: `of-${file}`, labels: null }
  return { ...definition, topics }
}

/** Somebody at the terminal says yes or no; null = there is no terminal. */
async function runTopics(answer: boolean | null, ...flags: string[]): Promise<Run> {
  const lines: string[] = []
  const program = new Command().exitOverride().configureOutput({ writeErr: ignore })
  addTopicsCommand(program, {
    openKafka,
    openRegistry: (url) => connectRegistry(url ?? stack.registryUrl),
    readPipeline: async (file) => pipelineNamed(file),
    print: (line) => lines.push(line),
    ask: answer === null ? null : async () => answer,
  })
  const before = process.exitCode
  process.exitCode = 0
  try {
    await program.parseAsync(['topics', ...flags], { from: 'user' })
    return { lines, exitCode: process.exitCode }
  } finally {
    process.exitCode = before
  }
}

function uniquePrefix(): string {
  const prefix = `${uniqueName('cli')}.`
  onTestFinished(async () => {
    const admin = openKafka(undefined).admin()
    await admin.connect()
    const topics = (await admin.listTopics()).filter((topic) => topic.startsWith(prefix))
    if (topics.length > 0) await admin.deleteTopics({ topics })
    await admin.disconnect()
  })
  return prefix
}

test('topics command - check ends with 1 until apply has run', async () => {
  const prefix = uniquePrefix()
  const before = await runTopics(null, 'check', '--prefix', prefix)
  expect(before.exitCode).toBe(1)
  expect(before.lines[0]).toMatch(/^topic +setting +found +planned$/)
  expect(before.lines).toContainEqual(
    expect.stringMatching(`^${prefix}transactions +topic +none +4 partitions, 1 replicas$`),
  )
  const applied = await runTopics(null, 'apply', '--yes', '--prefix', prefix)
  expect(applied).toMatchObject({ exitCode: 0 })
  expect(applied.lines.at(-1)).toBe('11 topics with their schemas: 33 settings changed.')
  const after = await runTopics(null, 'check', '--prefix', prefix)
  expect(after).toEqual({
    exitCode: 0,
    lines: ['11 topics with their schemas: 0 settings differ.'],
  })
})

test('topics command - takes names from the pipeline file and prints one object', async () => {
  const flags = ['--pipeline', 'cards', '--prefix', uniquePrefix(), '--partitions', '2', '--json']
  const { lines, exitCode } = await runTopics(null, 'apply', '--yes', ...flags)
  expect(exitCode).toBe(0)
  expect(lines).toHaveLength(1)
  const outcome = JSON.parse(lines[0]!)
  expect(outcome).toMatchObject({ command: 'apply' })
  expect(outcome.topics).toHaveLength(10)
  expect(outcome.topics[0]).toMatch(/\.of-cards$/)
  expect(outcome.differences).toContainEqual(
    expect.objectContaining({ kind: 'topic', planned: '2 partitions, 1 replicas' }),
  )
})

test('topics command - refuses a count that is none', async () => {
  await expect(runTopics(null, 'check', '--partitions', '0')).rejects.toMatchObject({
    code: 'commander.invalidArgument',
  })
})

const topicsWith = async (prefix: string): Promise<readonly string[]> => {
  const admin = openKafka(undefined).admin()
  await admin.connect()
  try {
    return (await admin.listTopics()).filter((topic) => topic.startsWith(prefix))
  } finally {
    await admin.disconnect()
  }
}

test('topics command - a dry run shows what apply would do, and changes nothing', async () => {
  const prefix = uniquePrefix()
  const dry = await runTopics(null, 'apply', '--dry-run', '--pipeline', 'cards', '--prefix', prefix)
  expect(dry.exitCode).toBe(0)
  expect(dry.lines.at(-1)).toBe('10 topics with their schemas: 30 settings would change.')
  expect(await topicsWith(prefix)).toEqual([])
  const registry = connectRegistry(stack.registryUrl)
  onTestFinished(() => registry.close())
  expect(await registry.latest(`${prefix}fraud.alerts-value`)).toBeNull()
  expect(await registry.compatibility(`${prefix}fraud.alerts-value`)).toBeNull()
})

test('topics command - apply asks, and without anybody to ask refuses with the name of the flag', async () => {
  const prefix = uniquePrefix()
  for (const flags of [[], ['--json']]) {
    await expect(runTopics(null, 'apply', '--prefix', prefix, ...flags)).rejects.toMatchObject({
      code: 'WEIR_SETTINGS_INVALID',
      message: expect.stringMatching(/no terminal to ask .* expected --yes/),
    })
  }
  const declined = await runTopics(false, 'apply', '--prefix', prefix)
  expect(declined).toMatchObject({ exitCode: 1 })
  expect(declined.lines[0]).toMatch(/^topic +setting +found +planned$/)
  expect(declined.lines.at(-1)).toBe('Nothing was changed.')
  expect(await topicsWith(prefix)).toEqual([])
  const agreed = await runTopics(true, 'apply', '--prefix', prefix)
  expect(agreed).toMatchObject({ exitCode: 0 })
  expect(agreed.lines.at(-1)).toBe('11 topics with their schemas: 33 settings changed.')
  // With nothing to change nobody is asked.
  const again = await runTopics(null, 'apply', '--prefix', prefix)
  expect(again.lines).toEqual(['11 topics with their schemas: 0 settings changed.'])
})

test('topics command - topics are made to keep what the pipeline file looks back to', async () => {
  const prefix = uniquePrefix()
  const flags = ['--pipeline', 'cards', '--prefix', prefix, '--yes']
  expect(await runTopics(null, 'apply', ...flags)).toMatchObject({ exitCode: 0 })
  const admin = openKafka(undefined).admin()
  await admin.connect()
  onTestFinished(() => admin.disconnect())
  // 90 days, 10 minutes of lateness, an hour of slack and a week without a scorer.
  for (const name of ['of-cards', 'transactions.scored']) {
    const { resources } = await admin.describeConfigs({
      includeSynonyms: false,
      resources: [{ type: 2, name: prefix + name, configNames: ['retention.ms'] }],
    })
    expect(resources[0]!.configEntries[0]!.configValue).toBe(String(98 * DAY_MS))
  }
})

test('topics command - what is left to its owner is told with the command, ready to be copied', async () => {
  const prefix = uniquePrefix()
  const admin = openKafka(undefined).admin()
  await admin.connect()
  onTestFinished(() => admin.disconnect())
  const topic = `${prefix}transactions`
  await admin.createTopics({
    topics: [
      { topic, numPartitions: 4, configEntries: [{ name: 'retention.ms', value: '3600000' }] },
    ],
    waitForLeaders: false,
  })
  await expect.poll(() => topicsWith(prefix), { timeout: 30_000 }).toEqual([topic])
  const { lines } = await runTopics(null, 'apply', '--dry-run', '--prefix', prefix)
  const at = lines.indexOf('Not changed, because its owner decides:')
  expect(lines[at + 1]).toBe(
    `  ${topic}: retention.ms is 3600000, planned 3888000000. Lost state is read from it again.`,
  )
  expect(lines[at + 2]).toMatch(
    new RegExp(
      `^    kafka-configs.sh .* --entity-name ${topic} --add-config retention.ms=3888000000$`,
    ),
  )
})

test('topics command - in a pipe, without --yes, the program ends with exit code 2 and changes nothing', async () => {
  const prefix = uniquePrefix()
  const program = join(repositoryFolder, 'services/cli/main.ts')
  const env = {
    PATH: process.env.PATH,
    WEIR_KAFKA_BROKERS: stack.kafkaBrokers.join(','),
    WEIR_REGISTRY_URL: stack.registryUrl,
  }
  const words = [program, 'topics', 'apply', '--prefix', prefix]
  const asked = await new Promise<{ readonly code: unknown; readonly error: string }>((resolve) => {
    execFile(process.execPath, words, { env }, (failure, _out, error) => {
      resolve({ code: failure?.code ?? 0, error })
    })
  })
  expect(asked).toMatchObject({
    code: 2,
    error: expect.stringMatching(/--yes.*Nothing was changed/),
  })
  expect(await topicsWith(prefix)).toEqual([])
})
