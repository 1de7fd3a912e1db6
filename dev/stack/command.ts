// `npm run stack -- up|down|status`: a stack that stays until it is told to go.
//
// In: one word. Out: `up` starts a process that holds a stack, waits until the stack answers, and
// prints its endpoints as export lines that make every other command use it; `status` says what
// answers; `down` ends it. The state file .weir/stack/state.json names the holder and the
// endpoints. Refused: a second `up` while one is up; an unknown word, with exit code 2 and the
// usage. The holder is the stack's parent, so the stack ends with it, whatever ends it.

import { spawn } from 'node:child_process'
import {
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { askKafka, askRedis, askRegistry } from './answers.ts'
import { stacksFolder } from './repository.ts'
import { type Stack, type StackKind, startStack } from './stack.ts'

type State = {
  readonly holderPid: number
  readonly kind: StackKind
  readonly kafkaBrokers: readonly string[]
  readonly redisUrl: string
  readonly registryUrl: string
  readonly folder: string | undefined
  readonly pids: Readonly<Record<string, number | undefined>>
}

const stateFile = join(stacksFolder, 'state.json')
const holderLog = join(stacksFolder, 'up.log')
const stopMs = 90_000

async function up(): Promise<void> {
  const state = readState()
  if (state) {
    throw new Error(`a stack is up already (process ${state.holderPid}); npm run stack -- down`)
  }
  mkdirSync(stacksFolder, { recursive: true })
  const log = openSync(holderLog, 'w')
  const holder = spawn(process.execPath, [fileURLToPath(import.meta.url), 'hold'], {
    stdio: ['ignore', log, log],
    detached: true,
  })
  const ended = new Promise<true>((resolve) => holder.once('exit', () => resolve(true)))
  let saidCount = 0
  const repeatLog = () => {
    const lines = readFileSync(holderLog, 'utf8').split('\n').slice(0, -1)
    for (const line of lines.slice(saidCount)) console.error(line)
    saidCount = lines.length
  }
  while (!existsSync(stateFile)) {
    const hasEnded = await Promise.race([ended, pause(100)])
    repeatLog()
    if (hasEnded) throw new Error('the stack did not come up')
  }
  holder.unref()
  printState(readState()!)
}

async function hold(): Promise<void> {
  const stack = await startStack({ name: 'up' })
  if (stack.kind === 'endpoints') {
    throw new Error('the endpoints are given in the environment: there is nothing to bring up')
  }
  writeState(stack)
  const stop = async () => {
    await stack.stop()
    rmSync(stateFile, { force: true })
    process.exit(0)
  }
  process.once('SIGTERM', stop)
  process.once('SIGINT', stop)
}

async function down(): Promise<void> {
  const state = readState()
  if (!state) return console.log('no stack is up')
  process.kill(state.holderPid, 'SIGTERM')
  const deadline = Date.now() + stopMs
  while (readState()) {
    if (Date.now() > deadline) throw new Error(`process ${state.holderPid} does not stop`)
    await pause(50)
  }
  console.log('the stack is down')
}

async function status(): Promise<void> {
  const state = readState()
  if (!state) {
    console.log('no stack is up; npm run stack -- up')
    process.exitCode = 1
    return
  }
  console.log(`${state.kind} stack, held by process ${state.holderPid}, logs in ${state.folder}`)
  const questions = [
    ['kafka', state.kafkaBrokers.join(','), () => askKafka(state.kafkaBrokers[0] ?? '')],
    ['redis', state.redisUrl, () => askRedis(state.redisUrl)],
    ['registry', state.registryUrl, () => askRegistry(state.registryUrl)],
  ] as const
  for (const [name, address, ask] of questions) {
    const trouble = await ask().catch((error: Error) => error)
    console.log(
      `${name.padEnd(8)} ${address}  ${trouble ? `silent: ${trouble.message}` : 'answers'}`,
    )
    if (trouble) process.exitCode = 1
  }
}

function printState(state: State): void {
  console.log(`${state.kind} stack is up, logs in ${state.folder}; npm run stack -- down ends it`)
  console.log(`export WEIR_KAFKA_BROKERS=${state.kafkaBrokers.join(',')}`)
  console.log(`export WEIR_REDIS_URL=${state.redisUrl}`)
  console.log(`export WEIR_REGISTRY_URL=${state.registryUrl}`)
}

/** The state of the stack that is up; a state whose holder is gone is cleared away. */
function readState(): State | undefined {
  if (!existsSync(stateFile)) return undefined
  const state: State = JSON.parse(readFileSync(stateFile, 'utf8'))
  try {
    process.kill(state.holderPid, 0)
    return state
  } catch {
    rmSync(stateFile, { force: true })
    return undefined
  }
}

function writeState(stack: Stack): void {
  const servers = Object.entries(stack.servers ?? {})
  const state: State = {
    holderPid: process.pid,
    kind: stack.kind,
    kafkaBrokers: stack.kafkaBrokers,
    redisUrl: stack.redisUrl,
    registryUrl: stack.registryUrl,
    folder: stack.folder,
    pids: Object.fromEntries(servers.map(([name, server]) => [name, server.pid()])),
  }
  // Renamed into place, so that nobody reads half of it.
  writeFileSync(`${stateFile}.new`, `${JSON.stringify(state, null, 2)}\n`)
  renameSync(`${stateFile}.new`, stateFile)
}

const commands: Readonly<Record<string, () => Promise<void>>> = { up, down, status, hold }

const usage = `Usage: npm run stack -- up|down|status

Kafka, Redis and the registry, for as long as they are wanted.

Commands:
  up      start them, and print the export lines that make every other command use them
  down    end them
  status  say what answers; exit code 1 if anything does not
`

const word = process.argv[2]
if (word === '--help' || word === '-h' || word === 'help') {
  process.stdout.write(usage)
  process.exit(0)
}
const command = commands[word ?? '']
if (command === undefined) {
  const found = word === undefined ? '' : `found '${word}', expected up, down or status\n\n`
  process.stderr.write(found + usage)
  process.exit(2)
}
try {
  await command()
} catch (error) {
  console.error(error instanceof Error ? error.message : error)
  process.exit(1)
}
