// `weir topics` on the real stack: what it prints and how it ends.

import { Command } from 'commander'
import { beforeAll, expect, onTestFinished, test } from 'vitest'
import { createKafka } from '../../services/adapters/kafka/client/kafka-client.ts'
import { connectRegistry } from '../../services/adapters/registry/schema-registry.ts'
import { addTopicsCommand } from '../../services/cli/topics-command.ts'
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

async function runTopics(...flags: string[]): Promise<Run> {
  const lines: string[] = []
  const program = new Command().exitOverride().configureOutput({ writeErr: ignore })
  addTopicsCommand(program, {
    openKafka,
    openRegistry: (url) => connectRegistry(url ?? stack.registryUrl),
    readTopicNames: async (file) => ({ transactions: `of-${file}`, labels: null }),
    print: (line) => lines.push(line),
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
  const before = await runTopics('check', '--prefix', prefix)
  expect(before.exitCode).toBe(1)
  expect(before.lines[0]).toMatch(/^topic +setting +found +planned$/)
  expect(before.lines).toContainEqual(
    expect.stringMatching(`^${prefix}transactions +topic +none +4 partitions, 1 replicas$`),
  )
  const applied = await runTopics('apply', '--prefix', prefix)
  expect(applied).toMatchObject({ exitCode: 0 })
  expect(applied.lines.at(-1)).toBe('11 topics with their schemas: 33 settings changed.')
  const after = await runTopics('check', '--prefix', prefix)
  expect(after).toEqual({
    exitCode: 0,
    lines: ['11 topics with their schemas: 0 settings differ.'],
  })
})

test('topics command - takes names from the pipeline file and prints one object', async () => {
  const flags = ['--pipeline', 'cards', '--prefix', uniquePrefix(), '--partitions', '2', '--json']
  const { lines, exitCode } = await runTopics('apply', ...flags)
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
  await expect(runTopics('check', '--partitions', '0')).rejects.toMatchObject({
    code: 'commander.invalidArgument',
  })
})
