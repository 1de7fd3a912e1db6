// A raw value as true or false, by the words that the pipeline file lists for each.
//
// In: the words, once; a raw value. Out: true or false where its text is listed, in any case and
// with blanks around it; 1.0 is 1. null for nothing and for everything that is not listed: no
// verdict. Refused (undefined): lists, objects, bytes, times.

import type { FieldType } from '../../core/input-mapping.ts'
import { ExactDecimal } from '../../core/raw-values.ts'
import type { Convert } from './convert.ts'
import { toDouble } from './exact-decimal.ts'

type FlagType = Extract<FieldType, { readonly kind: 'flag' }>

const zeroDecimals = /^([+-]?\d+)\.0*$/

export function createFlagConvert({ yes, no }: FlagType): Convert {
  const verdicts = new Map<unknown, boolean>()
  const learn = (listed: string, verdict: boolean): void => {
    const word = toWord(listed)
    if (word === '') return
    verdicts.set(word, verdict)
    // As the raw values that are written so, which are then found without being made text.
    if (word === 'true' || word === 'false') verdicts.set(word === 'true', verdict)
    if (String(Number(word)) === word) verdicts.set(Number(word), verdict)
  }
  for (const word of no) learn(word, false)
  for (const word of yes) learn(word, true)
  return (raw) => {
    const verdict = verdicts.get(raw)
    if (verdict !== undefined) return verdict
    if (raw === null || raw === undefined) return null
    const text = textOf(raw)
    return text === undefined ? undefined : (verdicts.get(toWord(text)) ?? null)
  }
}

const toWord = (text: string): string => text.trim().toLowerCase().replace(zeroDecimals, '$1')

function textOf(raw: unknown): string | undefined {
  if (typeof raw === 'string') return raw
  if (typeof raw === 'number' || typeof raw === 'boolean' || typeof raw === 'bigint') {
    return String(raw)
  }
  return raw instanceof ExactDecimal ? String(toDouble(raw)) : undefined
}
