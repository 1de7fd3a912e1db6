// `node dev/launch.mjs <script.ts> [arguments...]`: every npm script of this repository starts
// here.
//
// In: a script, on whatever Node the machine has (this file is plain JavaScript without
// dependencies for that reason). Out: the script runs on the pinned Node 24, with dependencies that
// match package-lock.json: what is missing or stale is installed first. Standard streams, signals
// and the exit code pass through. Refused: Node older than 20, an unknown platform, a failed
// installation (with the end of npm's output). Invariant: two launches at the same time never
// install into node_modules at the same time.

import { spawn, spawnSync } from 'node:child_process'
import * as files from 'node:fs'
import { constants } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'

const nodeMajorMin = 20
const lockWaitMs = 15 * 60_000
const repositoryFolder = fileURLToPath(new URL('..', import.meta.url))

/**
 * Why the installed packages are not those of the lock file, or undefined when they are. npm writes
 * its own list (node_modules/.package-lock.json) as the last step of an installation, so a list
 * that is there also says that the installation was finished.
 * @param {string} folder the repository
 * @returns {string | undefined}
 */
export function findStaleness(folder) {
  const wanted = readPackages(join(folder, 'package-lock.json'))
  if (!wanted) throw new Error(`found no readable package-lock.json in ${folder}`)
  const installed = readPackages(join(folder, 'node_modules', '.package-lock.json'))
  if (!installed) return 'the dependencies are not installed'
  for (const [path, { version, optional, devOptional }] of Object.entries(wanted)) {
    const found = installed[path]?.version
    // '' is the repository itself; an optional package may be for another platform than this.
    if (path === '' || found === version) continue
    if (found === undefined && (optional || devOptional)) continue
    return `${path} is ${found ?? 'missing'}, package-lock.json has ${version}`
  }
  return undefined
}

/**
 * @returns {Record<string, {version?: string, optional?: boolean, devOptional?: boolean}> |
 * undefined}
 */
function readPackages(file) {
  try {
    return JSON.parse(files.readFileSync(file, 'utf8')).packages
  } catch {
    return undefined
  }
}

/**
 * The npm package that holds the Node program for a platform, as the npm package `node` names it.
 * @param {string} platform
 * @param {string} arch
 */
export function platformPackage(platform, arch) {
  const known = ['linux-x64', 'linux-arm64', 'darwin-x64', 'darwin-arm64']
  const name = `${platform}-${arch}`
  if (!known.includes(name)) {
    throw new Error(`found the platform ${name}, Weir runs on ${known.join(', ')}`)
  }
  return name === 'darwin-arm64' ? `node-bin-${name}` : `node-${name}`
}

/** Makes node_modules match the lock file and returns the path of the pinned Node. */
function prepare(folder) {
  const node = join(folder, 'node_modules', 'node', 'bin', 'node')
  if (findStaleness(folder) === undefined && isPinnedNode(folder, node)) return node
  return withLock(join(folder, '.weir', 'install.lock'), () => {
    // Looked at again: another launch may have installed while this one waited for the lock.
    const reason = findStaleness(folder)
    if (reason !== undefined) installDependencies(folder, reason)
    if (!isPinnedNode(folder, node)) installNode(folder, node)
    return node
  })
}

function pinnedVersion(folder) {
  return readPackages(join(folder, 'package-lock.json'))?.['node_modules/node']?.version
}

function isPinnedNode(folder, node) {
  const { status, stdout } = spawnSync(node, ['--version'], { encoding: 'utf8' })
  return status === 0 && stdout.trim() === `v${pinnedVersion(folder)}`
}

function installDependencies(folder, reason) {
  say(`installing dependencies, a minute or so the first time (${reason})`)
  const started = Date.now()
  // No package here needs its install scripts: native programs come as packages of their own, the
  // pinned Node is fetched below (npm versions differ in whether they run its script), and
  // onnxruntime-node's would download libraries for GPUs.
  const options = ['--ignore-scripts', '--include=dev', '--include=optional']
  const clean = npm(folder, ['ci', ...options])
  if (clean.includes('EUSAGE')) {
    // npm 11 demands optional packages of every other platform in the lock file, also where its
    // registry had none when the lock file was written. Nothing is unlocked by leaving that out.
    demandSuccess(npm(folder, ['install', '--no-save', ...options]))
  } else {
    demandSuccess(clean)
  }
  say(`dependencies installed in ${Math.round((Date.now() - started) / 1000)} s`)
}

/** Does what the install script of the npm package `node` does, on every version of npm. */
function installNode(folder, node) {
  const name = platformPackage(process.platform, process.arch)
  const version = pinnedVersion(folder)
  say(`fetching Node ${version} (npm package ${name})`)
  const staging = join(folder, 'node_modules', '.weir-node')
  files.rmSync(staging, { recursive: true, force: true })
  files.mkdirSync(staging, { recursive: true })
  files.writeFileSync(join(staging, 'package.json'), '{"private":true}')
  const options = ['--ignore-scripts', '--no-package-lock']
  demandSuccess(npm(staging, ['install', ...options, `${name}@${version}`]))
  files.mkdirSync(dirname(node), { recursive: true })
  files.renameSync(join(staging, 'node_modules', name, 'bin', 'node'), node)
  files.rmSync(staging, { recursive: true, force: true })
  // So that tools started by hand or by npm find it as well (node_modules/.bin/node).
  const link = join(folder, 'node_modules', '.bin', 'node')
  files.mkdirSync(dirname(link), { recursive: true })
  files.rmSync(link, { force: true })
  files.symlinkSync(join('..', 'node', 'bin', 'node'), link)
  if (!isPinnedNode(folder, node)) throw new Error(`${node} does not run as Node ${version}`)
}

/** Runs npm quietly; returns '' when it succeeded and the beginning of its complaint when not. */
function npm(folder, npmArguments) {
  // Inside an npm script, npm says where it is itself; anywhere else it is on the path.
  const self = process.env.npm_execpath ?? ''
  const [command, first] = /npm-cli\.c?js$/.test(self) ? [process.execPath, [self]] : ['npm', []]
  const quiet = ['--no-audit', '--no-fund', '--no-progress', '--loglevel=error']
  const run = spawnSync(command, [...first, ...npmArguments, ...quiet], {
    cwd: folder,
    encoding: 'utf8',
    env: { ...process.env, ONNXRUNTIME_NODE_INSTALL: 'skip' },
  })
  if (run.status === 0) return ''
  const complaint = run.error?.message ?? `${run.stderr}${run.stdout}`.trim()
  return `npm ${npmArguments[0]} failed:\n${complaint.split('\n').slice(0, 15).join('\n')}`
}

function demandSuccess(complaint) {
  if (complaint) throw new Error(complaint)
}

/** Runs `work` while no other process runs its own under the same lock file. */
export function withLock(lockFile, work) {
  files.mkdirSync(dirname(lockFile), { recursive: true })
  const deadline = Date.now() + lockWaitMs
  for (let isFirstTry = true; !takeLock(lockFile); isFirstTry = false) {
    if (isFirstTry) say('waiting for another launch that is installing dependencies')
    if (Date.now() > deadline)
      throw new Error(`waited too long; if nobody else runs, rm ${lockFile}`)
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 200)
  }
  try {
    return work()
  } finally {
    files.rmSync(lockFile, { force: true })
  }
}

function takeLock(lockFile) {
  // Linked into place rather than written there, so that a lock is never seen without its owner.
  const mine = `${lockFile}.${process.pid}`
  files.writeFileSync(mine, String(process.pid))
  try {
    files.linkSync(mine, lockFile)
    return true
  } catch (error) {
    if (error.code !== 'EEXIST') throw error
    removeAbandoned(lockFile)
    return false
  } finally {
    files.rmSync(mine, { force: true })
  }
}

function removeAbandoned(lockFile) {
  let owner = Number.NaN
  try {
    owner = Number(files.readFileSync(lockFile, 'utf8'))
    process.kill(owner, 0)
  } catch (error) {
    // Gone between the two looks (ENOENT), or owned by a living process of somebody else (EPERM).
    if (error.code === 'ESRCH') removeLockOf(owner, lockFile)
  }
}

function removeLockOf(owner, lockFile) {
  // Renamed first: of several that found the same dead owner, one gets it, and it looks once more,
  // because the lock may be a living one's by now. Then it is put back.
  const aside = `${lockFile}.${process.pid}.aside`
  try {
    files.renameSync(lockFile, aside)
    if (Number(files.readFileSync(aside, 'utf8')) !== owner) files.linkSync(aside, lockFile)
  } catch (error) {
    if (error.code !== 'ENOENT' && error.code !== 'EEXIST') throw error
  } finally {
    files.rmSync(aside, { force: true })
  }
}

function runScript(node, script, scriptArguments) {
  const child = spawn(node, [script, ...scriptArguments], { stdio: 'inherit' })
  const hasTerminal = process.stdin.isTTY || process.stdout.isTTY || process.stderr.isTTY
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
    process.on(signal, () => {
      // Ctrl-C in a terminal reaches the child by itself; told twice it might think it urgent.
      if (!(signal === 'SIGINT' && hasTerminal)) child.kill(signal)
    })
  }
  child.once('error', (error) => fail(error))
  child.once('exit', (code, signal) => {
    // The shells' convention for an end by a signal.
    process.exit(signal === null ? code : 128 + constants.signals[signal])
  })
}

function say(line) {
  console.error(`weir: ${line}`)
}

function fail(error) {
  say(error.message)
  process.exit(1)
}

function main([script, ...scriptArguments]) {
  try {
    if (Number(process.versions.node.split('.')[0]) < nodeMajorMin) {
      throw new Error(`found Node ${process.versions.node}, expected ${nodeMajorMin} or newer`)
    }
    if (!script) throw new Error('usage: node dev/launch.mjs <script.ts> [arguments...]')
    runScript(prepare(repositoryFolder), resolve(repositoryFolder, script), scriptArguments)
  } catch (error) {
    fail(error)
  }
}

if (
  process.argv[1] &&
  import.meta.url === pathToFileURL(files.realpathSync(process.argv[1])).href
) {
  main(process.argv.slice(2))
}
