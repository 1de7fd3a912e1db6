// The section of docs/benchmarks.md on providers, and what `bench crossover` prints.
//
// In: a result of the case. Out: Markdown. Nothing is refused. Invariant: a provider that was not
// measured stands there with its reason, and a driver that computes on the CPU is called so.

import { type CrossoverCase, type CrossoverRow, findFastest } from '../cases/crossover.ts'
import { showCount } from './bars.ts'
import { table } from './markdown-table.ts'

/** Vulkan drivers that need no GPU: SwiftShader's and Mesa's. */
const softwareDriver = /swiftshader|lvp|lavapipe/i

export function renderCrossover(found: CrossoverCase): string {
  const { rows, misses, seconds, differenceMax } = found
  const models = [...new Set(rows.map(({ model }) => model))]
  return [
    `Rows/s in one worker by batch size, each from the median run of ${seconds} s; the fastest in bold. ` +
      `Scores differed from the CPU's by at most ${differenceMax.toExponential(1)}.`,
    ...describeDriver(found),
    renderTable(rows),
    ...models.map((model) => `What to pick for ${model}: ${describePicks(rows, model)}.`),
    ...(misses.length === 0 ? [] : [misses.map(describeMiss).join('\n')]),
  ].join('\n\n')
}

function describeDriver({ vulkanDriver, rows }: CrossoverCase): readonly string[] {
  if (!rows.some(({ provider }) => provider.includes('webgpu'))) return []
  if (vulkanDriver === null) return ["WebGPU ran on the system's own driver."]
  const isSoftware = softwareDriver.test(vulkanDriver)
  const warning =
    ', which computes on the CPU: it proves the numbers, and says nothing of the speed of a GPU'
  return [`WebGPU ran on \`${vulkanDriver}\`${isSoftware ? warning : ''}.`]
}

function renderTable(rows: readonly CrossoverRow[]): string {
  const fastest = findFastest(rows)
  const batches = [...new Set(rows.map(({ batch }) => batch))]
  const lines = Map.groupBy(rows, ({ model, form, provider }) => `${model}, ${form}, ${provider}`)
  const cells = [...lines.values()].map((line) => {
    const { model, form, provider } = line[0]!
    const figures = batches.map((batch) => {
      const row = line.find((one) => one.batch === batch)
      if (row === undefined) return ''
      const shown = showCount(row.rowsPerSecond)
      return fastest.includes(row) ? `**${shown}**` : shown
    })
    return [model, form, provider, ...figures]
  })
  return table(['Model', 'Graph', 'Executed by', ...batches.map(showCount)], cells)
}

/** `cpu up to 64, webgpu up to 8,192`: neighbours of one provider as one. */
function describePicks(rows: readonly CrossoverRow[], model: string): string {
  const ranges: { provider: string; until: number }[] = []
  const own = findFastest(rows).filter((row) => row.model === model)
  for (const { provider, batch } of own.toSorted((a, b) => a.batch - b.batch)) {
    const last = ranges.at(-1)
    if (last?.provider === provider) last.until = batch
    else ranges.push({ provider, until: batch })
  }
  return ranges.map(({ provider, until }) => `${provider} up to ${showCount(until)}`).join(', ')
}

const describeMiss = ({ model, form, provider, reason }: CrossoverCase['misses'][number]): string =>
  `- Not measured: ${model}, ${form}, on ${provider}: ${reason}`
