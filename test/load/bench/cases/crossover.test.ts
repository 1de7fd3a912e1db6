// The crossover case: really measured in small, and what is made of its figures.

import { describe, expect, it } from 'vitest'
import { repositoryFolder } from '../../../../dev/stack/repository.ts'
import {
  type CrossoverCase,
  type CrossoverRow,
  differenceOf,
  findFastest,
  runCrossover,
  withoutPaths,
} from '../../../../load/bench/cases/crossover.ts'
import { benchPipelineFile } from '../../../../load/bench/environment/bench-environment.ts'
import { type BenchResult, findOffences } from '../../../../load/bench/page/bench-result.ts'
import { renderCrossover } from '../../../../load/bench/page/crossover-section.ts'
import { loadPipelineFile } from '../../../../services/adapters/pipeline-file/pipeline-file.ts'

const rowOf = (provider: string, batch: number, rowsPerSecond: number): CrossoverRow => ({
  model: 'card 1',
  form: provider === 'cpu' ? 'tree ensemble' : 'tensors',
  provider,
  batch,
  rowsPerSecond,
  runMs: (batch / rowsPerSecond) * 1_000,
  runs: 5,
  isForScoring: true,
})

const found: CrossoverCase = {
  case: 'crossover',
  seconds: 1,
  vulkanDriver: null,
  rows: [
    rowOf('cpu', 1, 4_000),
    rowOf('cpu', 64, 90_000),
    rowOf('cpu', 512, 100_000),
    { ...rowOf('cpu', 512, 900_000), form: 'tensors', isForScoring: false },
    rowOf('webgpu', 1, 300),
    rowOf('webgpu', 64, 20_000),
    rowOf('webgpu', 512, 700_000),
  ],
  misses: [{ model: 'card 1', form: 'tensors', provider: 'cuda', reason: 'no library' }],
  picks: [],
  differenceMax: 2e-7,
}

describe('crossover', () => {
  it('runCrossover - measures each graph on each provider, or says why not', async () => {
    const definition = loadPipelineFile(benchPipelineFile, { baseFolder: repositoryFolder })
    const batches = [1, 64]
    const said: string[] = []
    const say = (line: string) => void said.push(line)
    const { rows, misses, picks, differenceMax } = await runCrossover({
      definition,
      seconds: 0,
      say,
      batches,
    })
    const onCpu = rows.filter(({ provider }) => provider === 'cpu')
    expect(onCpu.map(({ model, form, batch }) => [model, form, batch])).toEqual([
      ['bench 1', 'tree ensemble', 1],
      ['bench 1', 'tree ensemble', 64],
      ['bench 1', 'tensors', 1],
      ['bench 1', 'tensors', 64],
      ['network 1', 'tensors', 1],
      ['network 1', 'tensors', 64],
    ])
    for (const { rowsPerSecond, runMs, batch, runs } of rows) {
      expect(runs).toBe(1)
      expect(rowsPerSecond).toBeCloseTo((batch * 1_000) / runMs, 6)
    }
    for (const model of ['bench 1', 'network 1']) {
      for (const provider of ['webgpu', 'cuda']) {
        const measured = rows.filter(
          (row) => row.model === model && row.provider.split('+').includes(provider),
        )
        const missed = misses.filter((miss) => miss.model === model && miss.provider === provider)
        expect(measured.length === batches.length || missed.length === 1).toBe(true)
      }
    }
    expect(picks).toHaveLength(4)
    expect(differenceMax).toBeLessThanOrEqual(1e-5)
    expect(JSON.stringify(misses)).not.toContain(repositoryFolder)
    expect(said).toHaveLength(rows.length + misses.length)
  }, 120_000)

  it('findFastest - picks by batch size, and only what a scorer would run', () => {
    const picks = findFastest(found.rows).map(({ batch, provider, rowsPerSecond }) => [
      batch,
      provider,
      rowsPerSecond,
    ])
    expect(picks).toEqual([
      [1, 'cpu', 4_000],
      [64, 'cpu', 90_000],
      [512, 'webgpu', 700_000],
    ])
  })

  it('renderCrossover - tells the figures, the pick and what was not measured', () => {
    const text = renderCrossover(found)
    expect(text).toContain('| card 1 | tree ensemble | cpu | **4,000** | **90,000** | 100,000 |')
    expect(text).toContain('| card 1 | tensors | cpu |  |  | 900,000 |')
    expect(text).toContain('| card 1 | tensors | webgpu | 300 | 20,000 | **700,000** |')
    expect(text).toContain('What to pick for card 1: cpu up to 64, webgpu up to 512.')
    expect(text).toContain('- Not measured: card 1, tensors, on cuda: no library')
    expect(text).toContain("the system's own driver")
  })

  it('renderCrossover - calls a driver that computes on the CPU what it is', () => {
    const told = renderCrossover({ ...found, vulkanDriver: 'vk_swiftshader_icd.json' })
    expect(told).toContain('`vk_swiftshader_icd.json`, which computes on the CPU')
    expect(renderCrossover({ ...found, vulkanDriver: 'nvidia_icd.json' })).not.toContain('computes')
  })

  it('differenceOf - finds the row that is furthest off, and what is no number', () => {
    const expected = Float32Array.of(0.5, 0.25, 0.75, 1)
    expect(differenceOf(Float32Array.of(0.5, 0, 0.625), expected)).toBe(0.25)
    expect(differenceOf(Float32Array.of(0.5, Number.NaN), expected)).toBe(Number.POSITIVE_INFINITY)
  })

  it('withoutPaths - leaves no folder of this machine in a result', () => {
    const told = withoutPaths('failed:\n /opt/lib/cuda.so: cannot open /usr/x.so of 2/3')
    expect(told).toBe('failed: cuda.so: cannot open x.so of 3')
  })

  it('findOffences - lets no score be off, not even one that is no number', () => {
    const offencesOf = (differenceMax: number) =>
      findOffences({ ...found, differenceMax } as unknown as BenchResult)
    expect(offencesOf(1e-5)).toEqual([])
    expect(offencesOf(2e-5)).toHaveLength(1)
    expect(offencesOf(Number.POSITIVE_INFINITY)).toHaveLength(1)
  })
})
