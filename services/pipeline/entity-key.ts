// What an entity is known by: the fields of its key as one text.
//
// In: an event (a transaction, or a label with the fields of the key). Out: the key; of several
// fields, joined by `|` and escaped so that no two keys meet; NO_KEY where a part is absent: such
// an
// event has no history there, and never shares one. Refuses nothing.

import type { Label, Transaction } from './records.ts'

export type ReadKey = (event: Transaction | Label) => string

/** Of an entity that an event does not name: it has no log. */
export const NO_KEY = ''

export function planKey(fields: readonly string[]): ReadKey {
  const [first, ...rest] = fields
  if (rest.length === 0) return (event) => readPart(event, first!)
  const joinRest = (event: Transaction | Label, key: string): string => {
    let joined = key
    for (const field of rest) {
      const part = readPart(event, field)
      if (part === NO_KEY) return NO_KEY
      joined += `|${escapePart(part)}`
    }
    return joined
  }
  return (event) => {
    const part = readPart(event, first!)
    return part === NO_KEY ? NO_KEY : joinRest(event, escapePart(part))
  }
}

/** Numbers become their digits. */
function readPart(event: Transaction | Label, field: string): string {
  const value = event[field]
  if (typeof value === 'string') return value
  return value === null || value === undefined ? NO_KEY : String(value)
}

const escapePart = (text: string): string =>
  text.includes('|') || text.includes('\\') ? text.replace(/[\\|]/g, '\\$&') : text

/**
 * Whom a transaction is of: who is told apart from others for a canary and in reports. Without
 * entities, each transaction is its own.
 */
export const planSubject = (entities: readonly { readonly key: readonly string[] }[]): ReadKey => {
  const [first] = entities
  if (first === undefined) return ({ transactionId }) => transactionId
  const readKey = planKey(first.key)
  return (event) => readKey(event) || event.transactionId
}
