// The YAML of a pipeline file: its plain value, its syntax faults, and where each path stands.
//
// Comes in: the text of the file. Goes out: the value as JSON would have it, faults for broken
// syntax and for keys that stand twice, and `locate`, which finds line and column (from 1) of a key
// or value by its path. Where a path leads further than the file, the deepest part that exists is
// located, so that a missing key points at the map that lacks it.

import {
  type Document,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  parseDocument,
  visit,
  type YAMLError,
} from 'yaml'
import type { Fault, Path, Position } from './pipeline-fault.ts'
import { quote } from './pipeline-fault.ts'

type SyntaxFault = Fault & { readonly position: Position }

export type PipelineDocument = {
  readonly value: unknown
  readonly faults: readonly SyntaxFault[]
  /** False where the syntax is so broken that the value says nothing about what was meant. */
  readonly isReadable: boolean
  readonly locate: (path: Path, at: 'key' | 'value') => Position
}

export function parsePipelineDocument(text: string): PipelineDocument {
  const lineCounter = new LineCounter()
  const document = parseDocument(text, {
    lineCounter,
    prettyErrors: false,
  })
  const toPosition = (offset: number): Position => {
    const { line, col } = lineCounter.linePos(offset)
    return { line: Math.max(line, 1), column: Math.max(col, 1) }
  }
  const errors = [...document.errors, ...document.warnings]
  const faults = errors.map((error) => toSyntaxFault(error, text, toPosition))
  const isBroken = errors.some((error) => error.code !== 'DUPLICATE_KEY')
  const value = isBroken ? undefined : toPlainValue(document, faults, toPosition)
  return {
    value,
    faults,
    isReadable: value !== undefined,
    locate: (path, at) => toPosition(findOffset(document, path, at)),
  }
}

function toSyntaxFault(
  error: YAMLError,
  text: string,
  toPosition: (offset: number) => Position,
): SyntaxFault {
  const place = { path: ['(yaml)'], at: 'value', position: toPosition(error.pos[0]) } as const
  if (error.code !== 'DUPLICATE_KEY') {
    return { ...place, found: error.message.replace(/\s+/g, ' '), expected: 'YAML 1.2' }
  }
  const key = /^[^\s:,}]+/.exec(text.slice(error.pos[0]))?.[0] ?? ''
  return { ...place, found: `${quote(key)} a second time`, expected: 'each key once in its map' }
}

/** An alias to nothing, or aliases that explode, throw in the library; here they are faults. */
function toPlainValue(
  document: Document,
  faults: SyntaxFault[],
  toPosition: (offset: number) => Position,
): unknown {
  try {
    return document.toJS() ?? null
  } catch (cause) {
    const found = cause instanceof Error ? cause.message : String(cause)
    const position = toPosition(findAliasOffset(document))
    faults.push({ path: ['(yaml)'], at: 'value', position, found, expected: 'sound aliases' })
    return undefined
  }
}

/** The first alias to nothing; where there is none, the last alias of too many. */
function findAliasOffset(document: Document): number {
  let offset = 0
  visit(document, {
    Alias: (_key, alias) => {
      offset = startOf(alias) ?? offset
      return alias.resolve(document) === undefined ? visit.BREAK : undefined
    },
  })
  return offset
}

function findOffset(document: Document, path: Path, at: 'key' | 'value'): number {
  let node: unknown = document.contents
  let offset = startOf(node) ?? 0
  for (const [depth, step] of path.entries()) {
    const container = isAlias(node) ? node.resolve(document) : node
    const isLast = depth === path.length - 1
    if (isMap(container)) {
      const pair = container.items.find((item) => keyOf(item.key) === String(step))
      if (pair === undefined) return offset
      node = pair.value
      const isKeyWanted = isLast && at === 'key'
      offset = (isKeyWanted ? null : startOf(node)) ?? startOf(pair.key) ?? offset
    } else if (isSeq(container) && typeof step === 'number') {
      node = container.items[step]
      offset = startOf(node) ?? offset
    } else {
      return offset
    }
  }
  return offset
}

const keyOf = (key: unknown): string => String(isScalar(key) ? key.value : key)

function startOf(node: unknown): number | null {
  return (node as Node | null | undefined)?.range?.[0] ?? null
}
