// The house rules: each is kept by every file, and each is shown a bad example that it finds.
//
// A new rule is an entry of one of the tables. A fault that is known and has to be mended is a debt
// of its rule: a debt that was paid has to be taken out, or the test fails as well.

import { describe, expect, test } from 'vitest'
import { ignorePatterns, readHouse } from './house-files.ts'
import { importRules } from './import-rules.ts'
import { pageRules } from './page-rules.ts'
import { placeRules } from './place-rules.ts'
import { textRules } from './text-rules.ts'

const house = readHouse()

test('house - is read whole, and without what git ignores', () => {
  const paths = house.map(({ path }) => path)
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

for (const rule of [...importRules, ...textRules, ...placeRules, ...pageRules]) {
  describe(`house - ${rule.says}`, () => {
    test('everywhere', () => {
      expect(rule.find(house)).toEqual(rule.debts ?? [])
    })

    for (const { files, fault } of rule.broken) {
      test(`or is told: ${fault.source}`, () => {
        expect(rule.find(files)).toEqual(expect.arrayContaining([expect.stringMatching(fault)]))
      })
    }
  })
}
