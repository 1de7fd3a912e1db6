// The command's faults, as a person at a shell meets them, and the page beside its results.

import { execFile } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { describe, expect, it } from 'vitest'
import { repositoryFolder } from '../../../dev/stack/repository.ts'
import { readResults, resultsFolder } from '../../../load/bench/page/bench-result.ts'
import { benchmarksPage, renderBenchmarks } from '../../../load/bench/page/benchmarks-page.ts'

const program = join(repositoryFolder, 'load', 'bench', 'main.ts')

async function refuse(...words: string[]): Promise<string> {
  const ended = await promisify(execFile)(process.execPath, [program, ...words]).catch(
    (error: { code: number; stderr: string }) => error,
  )
  expect(ended).toMatchObject({ code: 2 })
  return ended.stderr
}

describe('bench', () => {
  it.each([
    [['drain', '--events', '0'], "argument '0' is invalid. Expected a whole number from 1 to"],
    [['drain', '--events', '3e5'], "argument '3e5' is invalid"],
    [['drain', '--processes', '17'], 'Expected a whole number from 1 to 16.'],
    [['latency', '--rate', '-5'], "'-5'"],
    [['latency', '--events', '5'], "unknown option '--events'"],
    [
      ['replay', '--transactions', '0'],
      "argument '0' is invalid. Expected a whole number from 1 to",
    ],
    [['isolation', '--rounds', '0'], 'Expected a whole number from 1 to 99.'],
    [['crossover', '--seconds', '0'], 'Expected a whole number from 1 to 3600.'],
    [['dam'], "unknown command 'dam'"],
  ])('bench - refuses %j and says what it expected', async (words, told) => {
    expect(await refuse(...words)).toContain(told)
  })
})

describe.runIf(existsSync(resultsFolder))('docs/benchmarks.md', () => {
  it('renderBenchmarks - is what the results beside the page say', () => {
    expect(readFileSync(benchmarksPage, 'utf8')).toBe(renderBenchmarks(readResults()))
  })
})
