// The page of the campaigns: written from the kept result, and honest about what failed.

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { repositoryFolder } from '../../../dev/stack/repository.ts'
import { usualCampaigns } from '../../../load/chaos/campaigns.ts'
import { readKept, renderPage, tableOf } from '../../../load/chaos/chaos-page.ts'

describe('chaos page', () => {
  it('docs/reference/chaos.md is what the kept result gives', () => {
    const page = readFileSync(join(repositoryFolder, 'docs', 'reference', 'chaos.md'), 'utf8')
    expect(page).toBe(renderPage(readKept()))
  })

  it('the kept run had every usual campaign, and lost nothing', () => {
    const kept = readKept()
    const names = kept.campaigns.map(({ campaign }) => campaign)
    expect(names).toEqual(expect.arrayContaining([...usualCampaigns]))
    expect(kept).toMatchObject({ difference: 0, ordinalGaps: 0 })
    for (const { missing, duplicated } of kept.campaigns)
      expect([missing, duplicated]).toEqual([0, 0])
    const failed = kept.campaigns.filter(({ failures }) => failures.length > 0)
    expect(failed.map(({ campaign }) => campaign)).toEqual([])
    for (const { parityDifferences, unverified } of kept.campaigns)
      expect([parityDifferences, unverified]).toEqual([0, 0])
  })

  it('a failed campaign stands out in the table and on the page, with its reasons', () => {
    const kept = readKept()
    const [first, ...others] = kept.campaigns
    const failed = { ...first!, missing: 3, failures: ['missing is 3, expected 0'] }
    const clean = others.map((other) => ({ ...other, failures: [] }))
    const result = { ...kept, campaigns: [failed, ...clean] }
    const [titles, row] = tableOf(result)
    expect(titles).toMatch(/^campaign .* outcome$/)
    expect(row).toMatch(/ 3 .* FAILED$/)
    expect(tableOf(result).at(-1)).toBe(`${first!.campaign}: missing is 3, expected 0`)
    expect(renderPage(result)).toContain(`- ${first!.campaign}: missing is 3, expected 0`)
  })
})
