// `weir try` as a process on files of somebody else's: what it shows, what it refuses, what it
// leaves.

import { readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { runWeir } from '../replay/replay-process.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'

const pipeline = (amount: string) => `
pipeline: mine
input:
  transactions:
    where: kind == "pay"
    fields:
      transactionId: id
      eventTime: { path: at, unit: s }
      kind: kind
      card: { path: card, required: true }
      amount: ${amount}
      email: email
      domain: { expression: emailDomain(email) }
entities: { card: { key: [card] } }
features:
  - { name: amount, field: amount, scale: 0.01 }
  - { name: card_count_1h, entity: card, op: count, window: 1h }
model: { name: mine, version: "1" }
policy: { review: 0.5, block: 0.9 }
`

const rows = [
  'id;at;kind;card;amt;email',
  '1;1704110400;pay;9007199254740993;12.34;a@Bank.example',
  '2;1704110460;pay;9007199254740993;5.00;',
  '3;1704110470;beat;;;',
  '4;1704110480;pay;;7.00;',
  '5;1704110490;pay;c;7.001;x',
]

async function tryOut(amount: string, ...more: readonly string[]) {
  const folder = temporaryFolder()
  const file = join(folder, 'mine.yaml')
  const data = join(folder, 'rows.csv')
  writeFileSync(file, pipeline(amount))
  writeFileSync(data, rows.join('\r\n'))
  const outcome = await runWeir(['try', '--pipeline', file, '--from', data, ...more])
  expect(readdirSync(folder).sort()).toEqual(['mine.yaml', 'rows.csv'])
  return outcome
}

describe('weir try', () => {
  it('shows fields by example, rejections with the line to change, and vectors', async () => {
    const { code, stdout } = await tryOut('{ path: amt, unit: major, currency: EUR }')
    expect(code).toBe(0)
    expect(stdout).toMatch(/^5 read: 2 events, 1 skipped, 2 rejected/)
    expect(stdout).toMatch(/^card +text +0\.0 % +9007199254740993$/m)
    expect(stdout).toMatch(/^amount +money +0\.0 % +1234 {3}500$/m)
    expect(stdout).toMatch(/^eventTime +time .*2024-01-01T12:00:00\.000Z/m)
    expect(stdout).toMatch(/^domain +text +50\.0 % +bank\.example$/m)
    expect(stdout).toMatch(/1 × WEIR_VALIDATE_ID: card is missing/)
    expect(stdout).toMatch(/rows\.csv, row 5; see input\.transactions\.fields\.amount of .*mine/)
    expect(stdout).toMatch(/^card_count_1h +1 +2$/m)
  })

  it('ends with 1 where nothing is an event, and says it all as JSON', async () => {
    const { code, stdout } = await tryOut('{ path: email, currency: EUR }', '--json')
    expect(code).toBe(1)
    const report = JSON.parse(stdout)
    expect(report).toMatchObject({ read: 5, events: 0, skipped: 1, vectors: [] })
    expect(report.rejections[0]).toMatchObject({ code: 'WEIR_VALIDATE_AMOUNT', field: 'amount' })
  })

  it('refuses neither and both of files and topic', async () => {
    const { code, stderr } = await runWeir(['try'])
    expect(code).toBe(2)
    expect(stderr).toContain('expected one of the two')
  })
})
