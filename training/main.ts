// `npm run train`: histories, features, then the model, from nothing.
//
// In: `--config FILE` (training/card-fraud.json) and what else train.py takes (`--out`, `--keep`).
// Out: models/<name>/<version>/, the policy's thresholds, the results in training/README.md. The
// Python side runs in training/.venv, made from requirements.txt when it is missing or older than
// that; PYTHON names another interpreter. Refused: a machine without Python 3.11.

import { spawnSync } from 'node:child_process'
import { existsSync, statSync, utimesSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { prepareHistories } from './prepare-histories.ts'

const pathOf = (name: string): string => fileURLToPath(new URL(name, import.meta.url))

const { values } = parseArgs({
  options: { config: { type: 'string' }, out: { type: 'string' }, keep: { type: 'boolean' } },
})
const config = values.config ?? pathOf('card-fraud.json')
await prepareHistories(config)
run(openPython(), [
  pathOf('train.py'),
  ...['--config', config],
  ...(values.out === undefined ? [] : ['--out', values.out]),
  ...(values.keep === true ? ['--keep'] : []),
])

function openPython(): string {
  const own = process.env.PYTHON
  if (own !== undefined) return own
  const python = pathOf('.venv/bin/python')
  const requirements = pathOf('requirements.txt')
  if (existsSync(python) && statSync(pathOf('.venv')).mtimeMs > statSync(requirements).mtimeMs) {
    return python
  }
  run('python3', ['-m', 'venv', pathOf('.venv')])
  run(python, ['-m', 'pip', 'install', '--quiet', '--requirement', requirements])
  utimesSync(pathOf('.venv'), new Date(), new Date())
  return python
}

function run(command: string, given: readonly string[]): void {
  const { status, error } = spawnSync(command, given, { stdio: 'inherit' })
  if (status === 0) return
  process.stderr.write(
    `${command} ${given.join(' ')} failed${error === undefined ? '' : `: ${error.message}`}; ` +
      'training needs Python 3.11 or newer with venv and pip.\n',
  )
  process.exit(1)
}
