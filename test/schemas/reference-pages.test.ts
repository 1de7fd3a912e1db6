// The reference pages say what the schemas and the table of topics say.

import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { referencePages } from './reference-pages.ts'

test.each(referencePages)('reference pages - $file is up to date', ({ place, render }) => {
  expect(readFileSync(place, 'utf8')).toBe(render())
})
