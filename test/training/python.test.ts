// The tests of the Python that trains, each as one of this run: test/training/python/test_*.py.

import { spawnSync } from 'node:child_process'
import { globSync } from 'node:fs'
import { basename } from 'node:path'
import { beforeAll, expect, test } from 'vitest'
import { repositoryPath } from '../adapters/pipeline-file/pipeline-text.ts'
import { findInterpreter, type Interpreter } from './training-world.ts'

const folder = repositoryPath('test/training/python')
const files = globSync('test_*.py', { cwd: folder }).sort()

let interpreter: Interpreter
beforeAll(() => {
  interpreter = findInterpreter()
})

for (const file of files) {
  test(`training - ${file}`, { timeout: 600_000 }, (context) => {
    const { python, absent } = interpreter
    if (python === null) return context.skip(absent)
    const asked = spawnSync(python, ['-B', '-m', 'unittest', '-v', basename(file, '.py')], {
      cwd: folder,
      env: { ...process.env, PYTHONPATH: repositoryPath('training') },
      encoding: 'utf8',
    })
    expect(asked.stderr).toMatch(/\nRan [1-9]\d* tests? in .*\n\nOK\n$/)
  })
}
