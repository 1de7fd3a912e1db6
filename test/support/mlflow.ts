// A real MLflow server for a test: WEIR_TEST_MLFLOW_URL, or one that is installed and started here.
//
// In: nothing, or what it asks of its clients: a login (MLflow's own basic-auth app), TLS; such a
// one is always started here. Out: its address, and how to stop it. The virtual environment (about
// 850 MB, minutes to make) is kept in .weir/mlflow and made once; its data lives in a folder of its
// own and goes with the server. Where it cannot be had, the reason is returned, for the test to be
// skipped with.

import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { get as httpGet } from 'node:http'
import { get as httpsGet } from 'node:https'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
// @ts-expect-error -- the launcher is plain JavaScript, so that any Node can start it.
import { withLock } from '../../dev/launch.mjs'
import { repositoryFolder } from '../../dev/stack/repository.ts'
import type { TestCertificate } from './test-certificate.ts'

const release = '3.17.2'
const home = join(repositoryFolder, '.weir', 'mlflow')
const program = join(home, 'venv', 'bin', 'mlflow')
const made = join(home, `made-${release}-auth`)
const startMsMax = 180_000

export type MlflowServer = { readonly url: string; readonly stop: () => Promise<void> }

export type MlflowDemands = {
  /** Of MLflow's administrator. */
  readonly login?: { readonly username: string; readonly password: string }
  readonly tls?: TestCertificate
}

export async function openMlflow(demands: MlflowDemands = {}): Promise<MlflowServer | string> {
  const given = process.env.WEIR_TEST_MLFLOW_URL ?? ''
  if (given !== '' && Object.keys(demands).length === 0) {
    return { url: given, stop: async () => undefined }
  }
  const missing = install()
  return missing === null ? start(demands) : missing
}

/** Null where it is installed, else why it is not. */
function install(): string | null {
  if (existsSync(made)) return null
  mkdirSync(home, { recursive: true })
  return withLock(join(home, 'lock'), () => {
    if (existsSync(made)) return null
    const pip = ['-m', 'pip', 'install', '-q', '--retries', '2', `mlflow[auth]==${release}`]
    const steps: [string, string[]][] = [
      ['python3', ['-m', 'venv', '--clear', join(home, 'venv')]],
      [join(home, 'venv', 'bin', 'python'), pip],
    ]
    for (const [command, words] of steps) {
      const { status, error, stderr } = spawnSync(command, words, { encoding: 'utf8' })
      if (status !== 0) return `MLflow is not installed: ${error?.message ?? stderr.slice(-300)}`
    }
    writeFileSync(made, '')
    return null
  })
}

async function start({ login, tls }: MlflowDemands): Promise<MlflowServer> {
  const folder = mkdtempSync(join(home, 'run-'))
  const port = await freePort()
  const log = openSync(join(folder, 'server.log'), 'a')
  const place = ['--host', '127.0.0.1', '--port', String(port), '--workers', '1']
  const artifacts = ['--serve-artifacts', '--artifacts-destination', `file://${folder}/artifacts`]
  const database = ['--backend-store-uri', `sqlite:///${folder}/mlflow.db`]
  const secured = tls === undefined ? [] : ['--uvicorn-opts', tlsOptions(tls)]
  const asked = login === undefined ? [] : ['--app-name', 'basic-auth']
  const words = ['server', ...place, ...artifacts, ...database, ...secured, ...asked]
  const child = spawn(program, words, {
    stdio: ['ignore', log, log],
    env: { ...process.env, ...(login === undefined ? {} : writeLogin(folder, login)) },
    // A group of its own: the server starts helpers, and all of them are ended together.
    detached: true,
  })
  const stop = async (): Promise<void> => {
    await endGroup(child)
    rmSync(folder, { recursive: true, force: true })
  }
  const url = `${tls === undefined ? 'http' : 'https'}://127.0.0.1:${port}`
  const endMs = Date.now() + startMsMax
  while (!(await isUp(url, tls))) {
    if (child.exitCode !== null || Date.now() > endMs) {
      await stop()
      throw new Error(`MLflow did not come up within ${startMsMax} ms`)
    }
    await pause(250)
  }
  return { url, stop }
}

async function endGroup(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return
  const ended = new Promise((resolve) => child.once('exit', resolve))
  process.kill(-child.pid, 'SIGKILL')
  await ended
}

const tlsOptions = ({ key, certificate }: TestCertificate): string =>
  `--ssl-keyfile ${key} --ssl-certfile ${certificate}`

/** Out: the environment that MLflow's basic-auth app asks for. */
function writeLogin(folder: string, { username, password }: Required<MlflowDemands>['login']) {
  const file = join(folder, 'auth.ini')
  const lines = [
    '[mlflow]',
    'default_permission = READ',
    `database_uri = sqlite:///${folder}/auth.db`,
    `admin_username = ${username}`,
    `admin_password = ${password}`,
    // Else each request hashes the password anew, for a quarter of a second.
    'auth_cache_ttl_seconds = 60',
    'authorization_function = mlflow.server.auth:authenticate_request_basic_auth',
  ]
  writeFileSync(file, lines.join('\n'))
  return { MLFLOW_AUTH_CONFIG_PATH: file, MLFLOW_FLASK_SERVER_SECRET_KEY: 'only for tests' }
}

function isUp(url: string, tls: TestCertificate | undefined): Promise<boolean> {
  const ca = tls === undefined ? {} : { ca: readFileSync(tls.authority) }
  const open = tls === undefined ? httpGet : httpsGet
  return new Promise((resolve) => {
    const request = open(`${url}/health`, { ...ca, timeout: 2000 }, (response) => {
      response.resume()
      resolve(response.statusCode === 200)
    })
    request.on('timeout', () => request.destroy())
    request.on('error', () => resolve(false))
  })
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.once('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const address = server.address()
      server.close(() => resolve(typeof address === 'object' ? address!.port : 0))
    })
  })
}
