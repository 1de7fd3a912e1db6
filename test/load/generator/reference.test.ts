// docs/reference/generator.md against the code, in both directions.

import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { fraudScenarios } from '../../../load/generator/frauds.ts'
import { poisonKinds } from '../../../load/generator/poison.ts'

const read = (path: string) => readFileSync(new URL(`../../../${path}`, import.meta.url), 'utf8')
const page = read('docs/reference/generator.md')

function namesIn(text: string, pattern: RegExp): string[] {
  return [...new Set([...text.matchAll(pattern)].map(([, name]) => name!))].sort()
}

describe('generator page', () => {
  it('generator page - knows every flag of the command, and no other', () => {
    const flags = namesIn(read('load/generator/main.ts'), /'(--[a-z-]+)/g)
    const onPage = namesIn(page, /(--[a-z]+(?:-[a-z]+)*)/g)
    expect(onPage).toEqual(flags)
  })

  it('generator page - lists every kind of poison and every scenario with its weight', () => {
    const section = page.slice(
      page.indexOf('Poison is one of'),
      page.indexOf('key of its neighbour'),
    )
    expect(namesIn(section, /`([a-z_0-9]+)`/g)).toEqual(Object.keys(poisonKinds).sort())
    for (const [scenario, { weight }] of Object.entries(fraudScenarios)) {
      expect(page).toContain(`| \`${scenario}\` | ${weight.toFixed(2)} |`)
    }
    const rows = namesIn(page.slice(page.indexOf('## The frauds')), /^\| `([a-z]+_[a-z]+)` \|/gm)
    expect(rows).toEqual(Object.keys(fraudScenarios).sort())
  })
})
