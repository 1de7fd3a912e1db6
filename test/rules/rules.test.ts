// The code rules: each is kept by every file, and each is shown a bad example that it finds.
//
// A new rule is an entry of one of the tables. A fault that is known and has to be mended is a debt
// of its rule: a debt that was paid has to be taken out, or the test fails as well.

import { describe, expect, test } from 'vitest'
import { graphRules } from './graph-rules.ts'
import { importRules } from './import-rules.ts'
import { machineRules } from './machine-rules.ts'
import { pageRules } from './page-rules.ts'
import { ignorePatterns, readRepository } from './repository-files.ts'
import { shapeRules } from './shape-rules.ts'
import { textRules } from './text-rules.ts'

const repository = readRepository()

test('rules - is read whole, and without what git ignores', () => {
  const paths = repository.map(({ path }) => path)
  expect(paths).toContain('services/pipeline/pipeline.ts')
  expect(paths).toContain('.npmrc')
  expect(paths.filter((path) => path.startsWith('node_modules/'))).toEqual([])
  expect(ignorePatterns('dist/\n*.log\n# no\ntraining/.venv/\n')).toEqual([
    '.git',
    '**/dist',
    '**/*.log',
    'training/.venv',
  ])
})

for (const rule of [
  ...importRules,
  ...textRules,
  ...machineRules,
  ...pageRules,
  ...shapeRules,
  ...graphRules,
]) {
  describe(`rules - ${rule.says}`, () => {
    test('everywhere', () => {
      expect(rule.find(repository)).toEqual(rule.debts ?? [])
    })

    for (const { files, fault } of rule.broken) {
      test(`or is told: ${fault.source}`, () => {
        expect(rule.find(files)).toEqual(expect.arrayContaining([expect.stringMatching(fault)]))
      })
    }
  })
}
