// Everything that can be said about the code without running it: types, lint and format, code
// rules.
//
// In: nothing. Out: each check's own report, then one line per check. All of them run, so that one
// look shows everything. The exit code is 0 only when each check passed.

import { spawnSync } from 'node:child_process'
import { repositoryFolder } from './stack/repository.ts'

const checks = [
  { name: 'types', command: ['node_modules/typescript/bin/tsc', '-p', '.'] },
  { name: 'lint and format', command: ['node_modules/@biomejs/biome/bin/biome', 'ci', '.'] },
  { name: 'code rules', command: ['dev/test.ts', 'test/rules'] },
] as const

const verdicts = checks.map(({ name, command: [script, ...scriptArguments] }) => {
  console.log(`--- ${name}`)
  const { status } = spawnSync(process.execPath, [script, ...scriptArguments], {
    cwd: repositoryFolder,
    stdio: 'inherit',
  })
  return { name, hasPassed: status === 0 }
})

console.log('---')
for (const { name, hasPassed } of verdicts)
  console.log(`${hasPassed ? 'ok    ' : 'FAILED'} ${name}`)
process.exit(verdicts.every(({ hasPassed }) => hasPassed) ? 0 : 1)
