// Facts that nobody tells are worse than none: each kind of signal, system, state, operation and
// label value of a closed set has somebody in services/ who says it, and each signal somebody who
// hears it.
//
// A value counts as said where it stands in quotes in a file that does not just declare or read it.

import { describe, expect, it } from 'vitest'
import { reasonTable } from '../../services/adapters/http/readiness.ts'
import { logTable } from '../../services/adapters/prometheus/log-table.ts'
import {
  type MetricRow,
  metricTable,
  operations,
} from '../../services/adapters/prometheus/metric-table.ts'
import { errorTable } from '../../services/core/errors.ts'
import { systems } from '../../services/pipeline/observe/signals.ts'
import { type RepositoryFile, readRepository } from './repository-files.ts'

/** Who declares, reads, shows or judges what others say. */
const listeners =
  /^services\/(?:adapters\/(?:prometheus|http)\/|pipeline\/observe\/|core\/errors\.ts)/

const speakers = readRepository().filter(
  ({ path }) => path.startsWith('services/') && path.endsWith('.ts') && !listeners.test(path),
)
const recorder = readRepository().find(({ path }) => path.endsWith('/metric-recorder.ts'))!.text

/** In quotes, or as the key of what is told. */
const isSaid = (value: string, files: readonly RepositoryFile[]): boolean =>
  files.some(({ text }) => text.includes(`'${value}'`) || text.includes(` ${value}: `))

const unsaid = (values: readonly string[], files = speakers): string[] =>
  values.filter((value) => !isSaid(value, files))

/** Made of a table by those who tell, so that no value stands in quotes. */
const derived = {
  bucket: 'countLateness fills one bucket after the other',
  quantile: 'process-metrics.ts goes through delayQuantiles',
  operation: 'looked at by itself, below',
  system: 'looked at by itself, below',
} as const

describe('signals - have somebody who tells them', () => {
  const kinds = Object.keys(logTable) as (keyof typeof logTable)[]

  it('every kind, and nobody tells one that is not there', () => {
    const said = (kind: string): boolean =>
      speakers.some(({ text }) => text.includes(`kind: '${kind}'`))
    expect(kinds.filter((kind) => !said(kind))).toEqual([])
    expect(said('a_kind_that_nobody_tells')).toBe(false)
  })

  it('every kind is heard: by a log line, or by a metric', () => {
    const isCounted = (kind: string): boolean =>
      new RegExp(`^ +${kind}: `, 'm').test(recorder) && !recorder.includes(`${kind}: doNothing`)
    expect(kinds.filter((kind) => logTable[kind] === null && !isCounted(kind))).toEqual([])
  })

  it.each(systems)('%s, up and down', (system) => {
    const tellers = speakers.filter(({ text }) => text.includes(`system: '${system}'`))
    expect(tellers.map(({ path }) => path)).not.toEqual([])
    for (const state of ['up', 'down']) expect(unsaid([state], tellers)).toEqual([])
    // Without the inference server the local model scores.
    expect(`${system}_down` in reasonTable).toBe(system !== 'inference')
  })

  it('every operation of the metric, and no other', () => {
    const others = operations.filter((operation) => operation !== 'other' && operation !== 'start')
    expect(unsaid(others)).toEqual([])
    // Of a start, `waiting` tells.
    expect(recorder).toContain("operation: 'start'")
    const named = /(?:operation: |callFunction\(\w+, |observeRetry\([\w.]+, )'(\w+)'/g
    const told = speakers.flatMap(({ text }) => [...text.matchAll(named)].map(([, name]) => name))
    expect(told.length).toBeGreaterThan(5)
    expect(told.filter((name) => !(operations as readonly string[]).includes(name!))).toEqual([])
  })

  it('every label value of a closed set', () => {
    const missing = Object.entries<MetricRow>(metricTable).flatMap(([name, { labels }]) =>
      Object.entries(labels).flatMap(([label, set]) =>
        set.kind === 'bounded' || label in derived
          ? []
          : unsaid(set.values).map((value) => `${name} ${label}=${value}`),
      ),
    )
    expect(missing).toEqual([])
  })

  it('every error code', () => {
    expect(unsaid(Object.keys(errorTable))).toEqual([])
    expect(unsaid(['WEIR_NEVER_THROWN'])).toEqual(['WEIR_NEVER_THROWN'])
  })
})
