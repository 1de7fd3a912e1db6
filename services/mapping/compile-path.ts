// From a path to a function that finds what stands there in a plain value.
//
// In: steps, and later values of JSON, of a file's cells or of Avro: objects, arrays, Maps. Out:
// what stands at the end of the path; undefined where anything on the way is absent or of another
// kind, also where a `json` step meets a text that is no JSON; null where a null stands at the end.
// Invariants: only own properties of plain objects are seen, never a prototype's, an array's length
// or a part of a Buffer; a text that several paths read as JSON is parsed once.

import type { PathStep } from '../core/input-mapping.ts'
import { parseExactJson } from './exact-json.ts'

/** What is to be found below a value, and the place in a row of raw values that it goes to. */
export type Want = { readonly slot: number; readonly steps: readonly PathStep[] }
/** Puts what it finds into its slots; slots of what is absent are left as they are. */
export type Fill = (value: unknown, raws: unknown[]) => void

export function compilePath(steps: readonly PathStep[]): (root: unknown) => unknown {
  const walks = steps.map(compileStep)
  return (root) => {
    let value = root
    for (let index = 0; index < walks.length && value !== undefined; index++) {
      value = walks[index]!(value)
    }
    return value
  }
}

export const wantsOf = (paths: readonly (readonly PathStep[])[]): Want[] =>
  paths.map((steps, slot) => ({ slot, steps }))

/** All wants of one value at once. */
export function compileFill(wants: readonly Want[]): Fill {
  const here = wants.filter(({ steps }) => steps.length === 0).map(({ slot }) => slot)
  const below = groupByStep(wants).map(({ step, rest }) => ({
    walk: compileStep(step),
    fill: compileFill(rest),
  }))
  return (value, raws) => {
    if (value === undefined) return
    for (const slot of here) raws[slot] = value
    for (const { walk, fill } of below) fill(walk(value), raws)
  }
}

/** Wants by their first step, with what is left of them; wants without a step are in no group. */
export function groupByStep(wants: readonly Want[]): { step: PathStep; rest: Want[] }[] {
  const groups = new Map<string, { step: PathStep; rest: Want[] }>()
  for (const { slot, steps } of wants) {
    const [step, ...rest] = steps
    if (step === undefined) continue
    const key = JSON.stringify(step.kind === 'name' ? step.name : [step])
    const group = groups.get(key) ?? { step, rest: [] }
    group.rest.push({ slot, steps: rest })
    groups.set(key, group)
  }
  return [...groups.values()]
}

function compileStep(step: PathStep): (value: unknown) => unknown {
  if (step.kind === 'json') return readJson
  if (step.kind === 'name') return (value) => property(value, step.name)
  return (value) => (Array.isArray(value) ? value[step.index] : undefined)
}

function property(value: unknown, name: string): unknown {
  if (typeof value !== 'object' || value === null) return undefined
  if (value instanceof Map) return value.get(name)
  const prototype = Object.getPrototypeOf(value)
  if (prototype !== Object.prototype && prototype !== null) return undefined
  return Object.hasOwn(value, name) ? (value as Record<string, unknown>)[name] : undefined
}

function readJson(value: unknown): unknown {
  const text = Buffer.isBuffer(value) ? value.toString('utf8') : value
  if (typeof text !== 'string') return undefined
  try {
    return parseExactJson(text)
  } catch {
    return undefined
  }
}
