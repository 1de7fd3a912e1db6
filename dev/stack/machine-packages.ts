// The programs that the native stack needs from the machine: Java 17, Maven, redis-server.
//
// In: which of them are needed. Out: paths of programs that were tried and run. What is missing is
// installed where that is possible without asking (Debian or Ubuntu, as root), one line said for
// each; anywhere else the error names every missing program and the command that installs it.
// Refused: a Java older than 17 and a Redis older than 7 (functions), with the version found.

import { spawnSync } from 'node:child_process'
import { existsSync, globSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import type { Environment } from './repository.ts'

type Program = 'java' | 'maven' | 'redis'

export type Say = (line: string) => void

type Requirement = {
  readonly candidates: (environment: Environment) => readonly string[]
  readonly versionArgument: string
  readonly version: RegExp
  readonly versionMin: number
  /** Names of the Debian package, the preferred one first. */
  readonly packages: readonly string[]
  readonly label: string
}

const requirements: Readonly<Record<Program, Requirement>> = {
  java: {
    candidates: (environment) => [
      ...(environment.JAVA_HOME ? [join(environment.JAVA_HOME, 'bin', 'java')] : []),
      'java',
      ...globSync('/usr/lib/jvm/*/bin/java'),
    ],
    versionArgument: '-version',
    version: /version "(\d+)/,
    versionMin: 17,
    packages: ['openjdk-17-jre-headless', 'default-jre-headless'],
    label: 'Java 17',
  },
  maven: {
    candidates: () => ['mvn'],
    versionArgument: '--version',
    version: /Apache Maven (\d+)/,
    versionMin: 3,
    packages: ['maven'],
    label: 'Maven 3',
  },
  redis: {
    candidates: () => ['redis-server'],
    versionArgument: '--version',
    version: /v=(\d+)/,
    versionMin: 7,
    packages: ['redis-server'],
    label: 'redis-server 7',
  },
}

/** Paths of the wanted programs; installs what is missing, or says how to. */
export function provide<P extends Program>(
  wanted: readonly P[],
  environment: Environment,
  say: Say,
): Record<P, string> {
  const missing = wanted.filter((program) => findProgram(program, environment) === undefined)
  if (missing.length > 0) {
    if (!canInstall()) throw new Error(explainMissing(missing))
    install(missing, say)
  }
  const found = wanted.map((program) => {
    const path = findProgram(program, environment)
    if (path === undefined) throw new Error(explainMissing([program]))
    return [program, path] as const
  })
  return Object.fromEntries(found) as Record<P, string>
}

export function findProgram(program: Program, environment: Environment): string | undefined {
  const { candidates, versionArgument, version, versionMin } = requirements[program]
  return candidates(environment).find((candidate) => {
    const run = spawnSync(candidate, [versionArgument], { encoding: 'utf8' })
    const [, major = '0'] = version.exec(`${run.stdout}${run.stderr}`) ?? []
    return Number(major) >= versionMin
  })
}

function canInstall(): boolean {
  return process.getuid?.() === 0 && existsSync('/usr/bin/apt-get')
}

function explainMissing(missing: readonly Program[]): string {
  const labels = missing.map((program) => requirements[program].label).join(', ')
  const packages = missing.map((program) => requirements[program].packages[0]).join(' ')
  return [
    `The native stack needs ${labels} or newer, and did not find it.`,
    `On Debian or Ubuntu: sudo apt-get install ${packages}`,
    'Or start Docker, or set WEIR_KAFKA_BROKERS, WEIR_REDIS_URL and WEIR_REGISTRY_URL.',
  ].join('\n')
}

function install(missing: readonly Program[], say: Say): void {
  // Slim images lack this folder, and the Java package fails without it (Debian bug 863199).
  mkdirSync('/usr/share/man/man1', { recursive: true })
  aptGet(['update', '-qq'])
  for (const program of missing) {
    const { packages, label } = requirements[program]
    const name = packages.find(isOffered)
    if (name === undefined) throw new Error(explainMissing([program]))
    say(`installing ${label} (apt-get install ${name})`)
    aptGet(['install', '-y', '-qq', '--no-install-recommends', name])
  }
}

function isOffered(name: string): boolean {
  return spawnSync('apt-cache', ['show', name], { stdio: 'ignore' }).status === 0
}

function aptGet(aptArguments: readonly string[]): void {
  // Another apt may be at work on a fresh machine (unattended upgrades): wait for its lock.
  const run = spawnSync('apt-get', ['-o', 'DPkg::Lock::Timeout=300', ...aptArguments], {
    encoding: 'utf8',
    // RUNLEVEL=1 keeps the package from starting its own service; the stack runs its own server.
    env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive', RUNLEVEL: '1' },
  })
  if (run.status !== 0) {
    const output = `${run.stdout}${run.stderr}`
    throw new Error(`apt-get ${aptArguments.join(' ')} failed:\n${output.slice(-2_000)}`)
  }
}
