// The command, as a user starts it.

import { spawnSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, describe, expect, it } from 'vitest'

const main = fileURLToPath(new URL('../../../load/generator/main.ts', import.meta.url))
const directory = mkdtempSync(join(tmpdir(), 'weir-generator-'))
afterAll(() => rmSync(directory, { recursive: true }))

function run(...flags: string[]) {
  return spawnSync(process.execPath, [main, ...flags], { encoding: 'utf8' })
}

describe('generator command', () => {
  it('generator command - writes the three files and prints the counts', () => {
    const flags = ['--out', directory, '--format', 'ndjson', '--days', '2', '--seed', '7']
    const world = ['--customers', '50', '--terminals', '20', '--start', '2026-03-01']
    const { status, stdout, stderr } = run('files', ...flags, ...world)
    expect(stderr).toBe('')
    expect(status).toBe(0)
    expect(readdirSync(directory).sort()).toEqual(
      ['frauds.ndjson', 'labels.ndjson', 'transactions.ndjson'].sort(),
    )
    const lines = readFileSync(join(directory, 'transactions.ndjson'), 'utf8').trimEnd().split('\n')
    expect(JSON.parse(stdout)).toMatchObject({ transactions: lines.length })
    const first = JSON.parse(lines[0]!)
    expect(new Date(first.eventTime).toISOString()).toMatch(/^2026-03-01T/)
    expect(first.transactionId).toMatch(/^t7-/)
  })

  it('generator command - ends with 2 and the expectation on a wrong value', () => {
    const outOfRange = run('files', '--out', directory, '--customers', '0')
    expect(outOfRange.status).toBe(2)
    expect(outOfRange.stderr).toMatch(/customers is 0, expected a number from 1/)
    const noNumber = run('files', '--out', directory, '--seed', 'seven')
    expect(noNumber.status).toBe(2)
    expect(noNumber.stderr).toMatch(/expected a number/)
    const noId = run('prefill', '--brokers', 'localhost:1', '--topic', 'payments')
    expect(noId.status).toBe(2)
    expect(noId.stderr).toMatch(/schema id of payments is unknown: give --registry or --schema-id/)
  })
})
