// The stack in containers, through docker-compose.yml as it stands.
//
// In: a folder for this stack, options for Redis. Out: the three servers of a compose project of
// its own, on free ports of this machine, each of them answering, with the hooks of a
// ServerControl. `docker compose` itself runs under the supervisor, which also takes the project
// down at the end. Refused: no daemon, no compose, images that are neither here nor to be had in
// bounded time (the reason is then said, so that the caller can choose another way), servers that
// do not come up.

import { spawnSync } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import { basename, join } from 'node:path'
import { askKafka, askRedis, askRegistry, waitForAnswer } from './answers.ts'
import { findFreePorts } from './free-ports.ts'
import type { Say } from './machine-packages.ts'
import type { RedisOptions } from './native-servers.ts'
import { repositoryFolder } from './repository.ts'
import { type ServerControl, type ServerName, type Stack, serverNames } from './stack-types.ts'
import { type Supervision, startSupervision } from './supervision.ts'

const lookMs = 10_000
const pullMs = 180_000
const upSeconds = 180
const answerDeadlineMs = 60_000
const composeFile = join(repositoryFolder, 'docker-compose.yml')

/** The reason why containers cannot be used; undefined when they can. Pulls missing images. */
export function findContainers(say: Say): string | undefined {
  if (!docker(['version', '--format', '{{.Server.Version}}'], lookMs).isOk) {
    return 'no Docker daemon answers'
  }
  if (!docker(['compose', 'version'], lookMs).isOk) return 'docker has no compose plugin'
  const images = docker(['compose', '--file', composeFile, 'config', '--images'], lookMs)
  if (!images.isOk) return `docker compose refuses docker-compose.yml: ${images.output}`
  const missing = images.output
    .split('\n')
    .filter((image) => image && !docker(['image', 'inspect', image], lookMs).isOk)
  for (const image of missing) {
    say(`pulling the image ${image}`)
    const pulled = docker(['pull', '--quiet', image], pullMs)
    if (!pulled.isOk) return `the image ${image} could not be pulled: ${pulled.output}`
  }
  return undefined
}

function docker(dockerArguments: readonly string[], timeoutMs: number) {
  const run = spawnSync('docker', dockerArguments, { encoding: 'utf8', timeout: timeoutMs })
  const output = run.error?.message ?? (run.stdout || run.stderr)
  return { isOk: run.status === 0, output: output.trim() }
}

type ContainerOptions = { readonly folder: string; readonly redis: RedisOptions }

export async function startContainerStack({ folder, redis }: ContainerOptions): Promise<Stack> {
  const [kafkaPort = 0, redisPort = 0, registryPort = 0] = await findFreePorts(3)
  const project = new ComposeProject(folder, {
    WEIR_KAFKA_PORT: String(kafkaPort),
    WEIR_REDIS_PORT: String(redisPort),
    WEIR_REGISTRY_PORT: String(registryPort),
    WEIR_REDIS_SAVE: redis.save ?? '',
    WEIR_REDIS_APPENDONLY: redis.appendOnly ? 'yes' : 'no',
    WEIR_REDIS_MAXMEMORY: redis.maxMemory ?? '0',
  })
  const kafkaBroker = `127.0.0.1:${kafkaPort}`
  const redisUrl = `redis://127.0.0.1:${redisPort}`
  const registryUrl = `http://127.0.0.1:${registryPort}/apis/ccompat/v7`
  const questions: Record<ServerName, () => Promise<void>> = {
    kafka: () => askKafka(kafkaBroker),
    redis: () => askRedis(redisUrl),
    registry: () => askRegistry(registryUrl),
  }
  try {
    await project.up()
    const servers = Object.fromEntries(
      serverNames.map((name) => [name, project.control(name, questions[name])]),
    ) as Record<ServerName, ServerControl>
    await Promise.all(serverNames.map((name) => waitForAnswer(questions[name], answerDeadlineMs)))
    return {
      kind: 'containers',
      kafkaBrokers: [kafkaBroker],
      redisUrl,
      registryUrl,
      folder,
      servers,
      stop: () => project.supervision.stop(),
    }
  } catch (error) {
    await project.supervision.stop()
    throw error
  }
}

class ComposeProject {
  readonly supervision: Supervision
  readonly #folder: string
  readonly #environment: Readonly<Record<string, string>>
  readonly #prefix: readonly string[]
  #followCount = 0

  constructor(folder: string, environment: Readonly<Record<string, string>>) {
    this.#folder = folder
    this.#environment = environment
    this.#prefix = [
      ...['compose', '--ansi', 'never', '--progress', 'plain'],
      ...['--file', composeFile, '--project-name', `weir-${basename(folder).toLowerCase()}`],
    ]
    this.supervision = startSupervision(folder)
    // The containers keep their data themselves; the folder says that this stack is running.
    const runningMark = join(folder, 'data')
    mkdirSync(runningMark)
    this.supervision.removeAtEnd(runningMark)
    this.supervision.runAtEnd('docker', [...this.#prefix, 'down', '--volumes', '--timeout', '0'])
  }

  /** Brings the servers up and copies their logs to one file each. */
  async up(): Promise<void> {
    const wait = ['--detach', '--wait', '--wait-timeout', String(upSeconds)]
    const running = await this.#runSupervised('compose', ['up', '--pull', 'never', ...wait])
    const how = await running.ended
    if (how !== 'exited with code 0') {
      const logs = this.#run(['logs', '--no-color', '--tail', '25'])
      throw new Error(`docker compose up ${how}; the end of the servers' logs:\n${logs.output}`)
    }
    for (const name of serverNames) await this.#followLog(name, [])
  }

  /** docker stops following with the container, so each start needs its own. */
  async #followLog(name: ServerName, since: readonly string[]): Promise<void> {
    const logs = ['logs', '--follow', '--no-color', '--no-log-prefix', ...since, name]
    await this.#runSupervised(`${name}-log-${this.#followCount++}`, logs, `${name}.log`)
  }

  control(name: ServerName, ask: () => Promise<void>): ServerControl {
    const act = async (...composeArguments: string[]) => {
      const { isOk, output } = this.#run([...composeArguments, name])
      if (!isOk) throw new Error(`docker compose ${composeArguments[0]} ${name}: ${output}`)
    }
    return {
      pid: () => undefined,
      signal: (signal) => {
        if (signal === 'SIGSTOP') return act('pause')
        if (signal === 'SIGCONT') return act('unpause')
        return act('kill', '--signal', signal)
      },
      kill: () => act('kill'),
      start: async () => {
        const since = new Date().toISOString()
        await act('start')
        await this.#followLog(name, ['--since', since])
        await waitForAnswer(ask, answerDeadlineMs)
      },
    }
  }

  #run(composeArguments: readonly string[]) {
    const run = spawnSync('docker', [...this.#prefix, ...composeArguments], {
      encoding: 'utf8',
      timeout: answerDeadlineMs,
      env: { ...process.env, ...this.#environment },
    })
    return { isOk: run.status === 0, output: `${run.stdout}${run.stderr}`.trim() }
  }

  #runSupervised(name: string, composeArguments: readonly string[], logName = `${name}.log`) {
    return this.supervision.run({
      name,
      command: 'docker',
      arguments: [...this.#prefix, ...composeArguments],
      environment: this.#environment,
      folder: this.#folder,
      logFile: join(this.#folder, logName),
    })
  }
}
