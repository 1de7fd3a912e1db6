// The folder of a run: what is beside it while it is written, and what a dead process left there.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { openRunFolder } from '../../services/replay/run-folder.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'

function leave(folder: string, name: string): void {
  mkdirSync(join(folder, name))
  writeFileSync(join(folder, name, 'features.parquet'), 'half of it')
}

async function deadPid(): Promise<number> {
  const child = spawn(process.execPath, ['--version'])
  await once(child, 'exit')
  return child.pid!
}

function livingPid(): number {
  const child = spawn(process.execPath, ['-e', 'setTimeout(() => {}, 1e9)'])
  onTestFinished(() => void child.kill('SIGKILL'))
  return child.pid!
}

test('run folder - removes what a dead process left, and nothing else', async () => {
  const folder = temporaryFolder()
  const gone = `.run.partial-${hostname()}-${await deadPid()}`
  const kept = [
    `.run.partial-${hostname()}-${livingPid()}`,
    `.run.partial-another-machine-${await deadPid()}`,
    `.other.partial-${hostname()}-${await deadPid()}`,
    `.run.partial-${hostname()}-notes`,
  ]
  for (const name of [gone, ...kept]) leave(folder, name)
  const run = await openRunFolder(join(folder, 'run'))
  writeFileSync(run.pathOf('report.json'), '{}')
  const mine = `.run.partial-${hostname()}-${process.pid}`
  expect(readdirSync(folder).sort()).toEqual([mine, ...kept].sort())
  await run.publish()
  expect(readdirSync(folder).sort()).toEqual(['run', ...kept].sort())
})

test('run folder - begins anew where a dead process had the number of this one', async () => {
  const folder = temporaryFolder()
  leave(folder, `.run.partial-${hostname()}-${process.pid}`)
  const run = await openRunFolder(join(folder, 'run'))
  writeFileSync(run.pathOf('report.json'), '{}')
  await run.publish()
  expect(readdirSync(join(folder, 'run'))).toEqual(['report.json'])
})

test('run folder - refuses two runs of one process into it, and leaves the first alone', async () => {
  const folder = temporaryFolder()
  const first = await openRunFolder(join(folder, 'run'))
  await expect(openRunFolder(join(folder, 'run'))).rejects.toThrow(/another run of this process/)
  writeFileSync(first.pathOf('report.json'), '{}')
  await first.publish()
  expect(readdirSync(folder)).toEqual(['run'])
})
