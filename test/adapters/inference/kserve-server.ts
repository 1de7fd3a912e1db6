// A real KServe server for tests: one virtual environment below .weir/, made once, one process a
// test.
//
// In: a model's graph. Out: the URL of a server that is ready, or null with the reason told where
// no Python or no package can be had, and the test is skipped. Invariants: an environment that was
// half made is never used, as what it was made from is written last; the process ends with its
// test.

import { execFile, spawn } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { type AddressInfo, createServer } from 'node:net'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { onTestFinished } from 'vitest'
import { repositoryFolder } from '../../../dev/stack/repository.ts'
import { waitFor } from '../../support/wait-for.ts'

const packages = ['kserve==0.21.0', 'onnxruntime==1.32.0']
const folder = join(repositoryFolder, '.weir', 'v2-server', 'venv')
const python = join(folder, 'bin', 'python')
const madeFrom = join(folder, 'made-from.txt')
const run = promisify(execFile)

/** Why there is no server to test with; null where there is one. */
export async function prepareKserve(): Promise<string | null> {
  const wanted = packages.join('\n')
  if (existsSync(madeFrom) && readFileSync(madeFrom, 'utf8') === wanted) return null
  try {
    mkdirSync(folder, { recursive: true })
    await run('python3', ['-m', 'venv', '--clear', folder])
    await run(python, ['-m', 'pip', 'install', '--quiet', '--retries', '2', ...packages])
    writeFileSync(madeFrom, wanted)
    return null
  } catch (error) {
    return (error as Error).message.split('\n').slice(0, 3).join(' ')
  }
}

export type KserveOptions = {
  /** Of the model. */
  readonly name: string
  readonly graph: string
  readonly flags?: readonly string[]
  /** A free one unless given. */
  readonly port?: number
}

export async function startKserve({ name, graph, flags = [], ...place }: KserveOptions) {
  const port = place.port ?? (await freePort())
  const script = join(import.meta.dirname, 'v2_server.py')
  const given = ['--model_name', name, '--graph', graph, '--http_port', String(port), ...flags]
  const server = spawn(python, [script, ...given], { stdio: ['ignore', 'ignore', 'pipe'] })
  let said = ''
  server.stderr.on('data', (text: Buffer) => {
    said = (said + text).slice(-2000)
  })
  onTestFinished(() => void server.kill('SIGKILL'))
  const url = `http://127.0.0.1:${port}`
  const isReady = async () => {
    if (server.exitCode !== null) throw new Error(`the server ended: ${said}`)
    return fetch(`${url}/v2/models/${name}/ready`).then(
      ({ ok }) => ok,
      () => false,
    )
  }
  await waitFor(isReady, () => said, { everyMs: 200 })
  return { url, port, end: () => server.kill('SIGKILL') }
}

async function freePort(): Promise<number> {
  const probe = createServer()
  await new Promise<void>((resolve) => probe.listen(0, '127.0.0.1', resolve))
  const { port } = probe.address() as AddressInfo
  await new Promise((resolve) => probe.close(resolve))
  return port
}
