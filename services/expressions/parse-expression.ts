// Text of CEL to its syntax tree, by @marcbachmann/cel-js: of that library only the parser is used.
//
// In: the text. Out: the tree, each part with the offset of its first character. Refused: what is
// too long or too deep, and what is no CEL, as `FaultAt`, in words that say what to write instead.
// Invariant: nothing else is thrown, and the tree has at most `expressionLimits.partsMax` parts.

import { type ASTNode, Environment, ParseError } from '@marcbachmann/cel-js'
import { FaultAt } from './expression-node.ts'
import { expressionLimits as limits } from './expression-types.ts'

const grammar = new Environment({
  limits: {
    maxDepth: limits.depthMax,
    maxAstNodes: limits.partsMax,
    maxListElements: limits.listSizeMax,
    maxMapEntries: limits.listSizeMax,
    maxCallArguments: limits.argumentsMax,
  },
})

export function parseExpression(text: string): ASTNode {
  if (text.length > limits.lengthMax) {
    const found = `found ${text.length} characters, expected at most ${limits.lengthMax}`
    throw new FaultAt(limits.lengthMax, found)
  }
  if (text.trim() === '') throw new FaultAt(0, 'the expression is empty')
  try {
    return grammar.parse(text).ast
  } catch (error) {
    throw faultOf(error, text)
  }
}

function faultOf(error: unknown, text: string): FaultAt {
  if (!(error instanceof ParseError)) return new FaultAt(0, 'this is no expression of CEL')
  const { start, end } = error.range ?? { start: 0, end: 0 }
  return new FaultAt(Math.min(start, text.length), describe(error, text.slice(start, end)))
}

const tokenWords: Readonly<Record<string, string>> = {
  IDENTIFIER: 'a name',
  LPAREN: "'('",
  RPAREN: "')'",
  LBRACKET: "'['",
  RBRACKET: "']'",
  LBRACE: "'{'",
  RBRACE: "'}'",
  COLON: "':'",
  COMMA: "','",
}

/** What people write who know other languages. */
const hints: Readonly<Record<string, string>> = {
  '=': '; write == to compare',
  '&': '; write && for "and"',
  '|': '; write || for "or"',
  and: '; write && for "and"',
  or: '; write || for "or"',
  is: '; write == to compare',
}

const limitWords: Readonly<Record<string, string>> = {
  maxDepth: `more than ${limits.depthMax} brackets within each other`,
  maxAstNodes: `more than ${limits.partsMax} names, literals and operators`,
  maxListElements: `more than ${limits.listSizeMax} elements in a list`,
  maxMapEntries: `more than ${limits.listSizeMax} entries in a map`,
  maxCallArguments: `more than ${limits.argumentsMax} arguments`,
}

function describe({ code, summary }: ParseError, found: string): string {
  const shown = found === '' ? 'the expression ends' : `found '${found}'`
  if (code === 'expected_token') {
    const wanted = /^Expected (\w+)/.exec(summary)?.[1] ?? ''
    return `${shown} where ${tokenWords[wanted] ?? wanted} is expected${hintFor(found)}`
  }
  if (code === 'unexpected_token') return `${shown} where a value is expected${hintFor(found)}`
  if (code === 'unexpected_character') return `found an unexpected '${found}'${hintFor(found)}`
  if (code === 'reserved_identifier') return `'${found}' is a reserved word of CEL`
  if (code === 'limit_exceeded') {
    const limit = /^Exceeded (\w+)/.exec(summary)?.[1] ?? ''
    return limitWords[limit] ?? summary
  }
  return summary.charAt(0).toLowerCase() + summary.slice(1)
}

const hintFor = (found: string): string =>
  Object.hasOwn(hints, found.toLowerCase()) ? hints[found.toLowerCase()]! : ''
