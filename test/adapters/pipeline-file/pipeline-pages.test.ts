// The reference pages against the code, in both directions: keys, defaults, ops, ceilings.

import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { formatDuration } from '../../../services/adapters/pipeline-file/duration.ts'
import { opRules } from '../../../services/adapters/pipeline-file/feature-table.ts'
import { readPipelineText } from '../../../services/adapters/pipeline-file/pipeline-file.ts'
import {
  defaults,
  remoteDefaults,
} from '../../../services/adapters/pipeline-file/pipeline-sections.ts'
import {
  tailMsMax,
  tailMsMin,
  windowTilesMax,
} from '../../../services/adapters/pipeline-file/window-rules.ts'
import { limits } from '../../../services/core/limits.ts'
import { windowOps } from '../../../services/core/pipeline-definition.ts'
import { repositoryPath } from './pipeline-text.ts'

type Node = { readonly [key: string]: unknown } & {
  readonly $ref?: string
  readonly description?: string
  readonly properties?: Readonly<Record<string, Node>>
  readonly additionalProperties?: Node | boolean
  readonly items?: Node
  readonly then?: Node
  readonly else?: Node
}

const page = (name: string): string =>
  readFileSync(repositoryPath(`docs/reference/${name}`), 'utf8')
const schema = JSON.parse(
  readFileSync(repositoryPath('schemas/pipeline.schema.json'), 'utf8'),
) as Node & { readonly definitions: Readonly<Record<string, Node>> }

const follow = (node: Node): Node =>
  node.$ref === undefined ? node : (schema.definitions[node.$ref.split('/').at(-1)!] as Node)

/** Features and fields have pages of their own. */
const ofOtherPages = new Set(['features', 'fields'])

/** Every key of the file as the page writes it. */
function keysOf(written: Node, prefix: string): readonly string[] {
  const node = follow(written)
  const own = Object.entries(node.properties ?? {}).flatMap(([name, child]) => {
    const key = prefix === '' ? name : `${prefix}.${name}`
    return ofOtherPages.has(name) ? [key] : [key, ...keysOf(child, key)]
  })
  const open =
    typeof node.additionalProperties === 'object' ? follow(node.additionalProperties) : null
  const named = open === null || open.type === 'string' ? [] : [`${prefix}.NAME`]
  return [
    ...own,
    ...named,
    ...(named.length > 0 ? keysOf(open!, `${prefix}.NAME`) : []),
    ...(node.items === undefined ? [] : keysOf(node.items, `${prefix}[]`)),
    ...(node.then === undefined ? [] : keysOf(node.then, prefix)),
    ...(node.else === undefined ? [] : keysOf(node.else, prefix)),
  ]
}

const rowsOf = (text: string): readonly (readonly string[])[] =>
  Array.from(text.matchAll(/^\| (`.*) \|$/gm), ([, row]) =>
    row!.split(/(?<!\\) \| | \|(?= \|)/).map((cell) => cell.trim()),
  )

const sectionOf = (text: string, heading: string): string =>
  text.split(/^## /m).find((section) => section.startsWith(`${heading}\n`)) ?? ''

describe('reference pages', () => {
  test('input.md - has every key of a field, and no other', () => {
    const field = schema.definitions.inputFieldMap!
    const [, section = ''] = page('input.md').split('## A field')
    const rows = [...section.split('## Types')[0]!.matchAll(/^\| `(\w+)` \|/gm)]
    expect(rows.map(([, key]) => key)).toEqual(Object.keys(field.properties ?? {}))
  })

  const rows = rowsOf(page('pipeline-file.md'))

  test('pipeline-file.md - has every key of the schema, and no other', () => {
    const written = rows.map(([key]) => key!.replaceAll('`', ''))
    expect([...written].sort()).toEqual([...new Set(keysOf(schema, ''))].sort())
    expect(new Set(written).size).toBe(written.length)
  })

  test('pipeline-file.md and the schema - say the defaults of the loader', () => {
    for (const [section, values] of Object.entries(defaults)) {
      for (const [key, value] of Object.entries(values)) {
        const text = Array.isArray(value) ? `[${value.join(', ')}]` : String(value)
        const row = rows.find(([name]) => name === `\`${section}.${key}\``)
        expect(row?.[2]).toBe(`\`${text}\``)
        const place = follow(schema.properties![section]!)
        const node = (place.properties ?? place.else!.properties)![key]!
        expect(node.description ?? follow(node).description).toContain(`Default ${text}.`)
      }
    }
  })

  test('pipeline-file.md and the schema - say the defaults of execution.remote', () => {
    const nodes = schema.definitions.execution!.properties!.remote!.properties!
    for (const [key, value] of Object.entries(remoteDefaults)) {
      const row = rows.find(([name]) => name === `\`execution.remote.${key}\``)
      expect(row?.[2]).toBe(`\`${value}\``)
      expect(nodes[key]!.description).toContain(`Default ${value}.`)
    }
  })

  test('pipeline-file.md - says the ceilings of limits.ts', () => {
    const valueAt = (key: string) => rows.find(([name]) => name === `\`${key}\``)?.[1]
    expect(valueAt('entities')).toContain(`to ${limits.entitiesMax} `)
    expect(valueAt('features')).toContain(`up to ${limits.featuresMax} `)
    expect(valueAt('model.challengers')).toContain(`up to ${limits.challengersMax} `)
  })

  test('pipeline-file.md - shows a small file that loads', () => {
    const example = /```yaml\n(pipeline: [^`]*)```/.exec(page('pipeline-file.md'))![1]!
    expect(readPipelineText(example).faults).toEqual([])
  })

  test.each([
    ['Field', 'fieldFeature'],
    ['Calendar', 'calendarFeature'],
    ['Window', 'windowFeature'],
    ['Ratio', 'ratioFeature'],
  ])('features.md - has the keys of %s features, and no other', (heading, definition) => {
    const tables = rowsOf(sectionOf(page('features.md'), heading))
    const written = tables.filter((row) => row.length === 2).map(([key]) => key)
    const keys = Object.keys(schema.definitions[definition]!.properties!).map((key) => `\`${key}\``)
    expect(written).toEqual(keys)
  })

  test('features.md - has every op with what it needs, and no other', () => {
    const tables = rowsOf(sectionOf(page('features.md'), 'Window'))
    const written = tables.filter((row) => row.length === 6).map((row) => row.slice(0, 5))
    const table = windowOps.map((op) => {
      const { of, window, current, tail } = opRules[op]
      return [`\`${op}\``, of, window, current, tail]
    })
    expect(written).toEqual(table)
  })

  test('features.md and the schema - say the limits of a tail', () => {
    const section = sectionOf(page('features.md'), 'Window')
    const shortest = formatDuration(tailMsMin)
    expect(section).toContain(`spans at most ${windowTilesMax} tiles`)
    const longest = formatDuration(tailMsMax)
    expect(section).toContain(`from \`${shortest}\` to \`${longest}\` and at most the window`)
    const { description } = schema.definitions.windowFeature!.properties!.tail!
    expect(description).toContain(`from ${shortest} to ${longest} and at most the window`)
    const never = windowOps.filter((op) => opRules[op].tail === 'never')
    for (const op of never) {
      expect(/^- `stddev`.*take no tail/m.exec(section)?.[0]).toContain(`\`${op}\``)
      expect(/Not for [^.]*/.exec(description!)?.[0]).toContain(op)
    }
  })

  test('pipeline.schema.json - has the ops of the definition, in their order', () => {
    expect(schema.definitions.windowFeature!.properties!.op!.enum).toEqual([...windowOps])
  })

  test('features.md - shows features that load', () => {
    const examples = Array.from(
      page('features.md').matchAll(/```yaml\n([^`]*)```/g),
      ([, lines]) => lines!,
    )
    const text = `pipeline: p
entities: { customer: { key: [customerId] }, terminal: { key: [terminalId] } }
model: { name: p, version: "1" }
policy: { review: 0.5, block: 0.9 }
features:
${examples.join('')}`
    expect(examples).toHaveLength(4)
    expect(readPipelineText(text).faults).toEqual([])
  })
})
