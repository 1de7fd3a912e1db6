// A graph on trial is in a process of its own: what becomes of that process is an answer, not an
// accident.

import { spawnSync } from 'node:child_process'
import { setTimeout as pause } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { readModelFolder } from '../../../services/adapters/models/model-files.ts'
import { type Trial, tryGraph } from '../../../services/adapters/onnx/graph-trial.ts'
import { noSignatures } from '../../../services/models/manifest-signature.ts'
import { fixtureFeatures, fixtureModel } from './fixture-models.ts'

const trialOf = async (changed: Partial<Trial> = {}, name = 'trees'): Promise<Trial> => {
  const demands = { features: fixtureFeatures, signatures: noSignatures }
  const files = await readModelFolder(fixtureModel(name), 'champion', demands)
  return { files, parity: null, extremes: null, latencyRows: null, ...changed }
}

/** The process that a trial of this test process runs in. */
const findProcess = async (): Promise<number> => {
  const deadlineMs = Date.now() + 20_000
  while (Date.now() < deadlineMs) {
    const { stdout } = spawnSync('ps', ['-e', '-o', 'pid=,ppid=,args='], { encoding: 'utf8' })
    const line = stdout
      .split('\n')
      .find(
        (one) =>
          one.includes('graph-trial-process') && Number(one.trim().split(/\s+/)[1]) === process.pid,
      )
    if (line !== undefined) return Number(line.trim().split(/\s+/)[0])
    await pause(5)
  }
  throw new Error('no process opened the graph')
}

test('graph trial - answers every step that is asked for, and no other', async () => {
  const trial = await trialOf()
  const report = await tryGraph(trial)
  expect([...report.keys()]).toEqual(['load', 'loadGpu', 'output', 'golden', 'goldenGpu'])
  expect(report.get('output')).toEqual({ value: 1 })
})

test('graph trial - a process that is ended from within or without is a fault, not the end', async () => {
  const report = tryGraph(await trialOf({ latencyRows: 500_000 }))
  process.kill(await findProcess(), 'SIGSEGV')
  expect((await report).get('latency')).toEqual({
    fault: 'the process that opened the graph ended: SIGSEGV',
  })
})

test('graph trial - a graph whose run never ends is ended, and the fault says how long it had', async () => {
  const report = await tryGraph(await trialOf({}, 'endless'), 4000)
  const fault = 'the graph had not answered after 4000 ms'
  expect(report.get('golden')).toEqual({ fault })
})
