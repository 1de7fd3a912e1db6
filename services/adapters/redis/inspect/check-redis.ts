// Whether a Redis can be trusted with state: asked once, before the first claim.
//
// In: the text of INFO. Out: nothing, or WEIR_ENRICH_STORE_UNFIT with the found, the expected and
// the setting to change. Refused: a version without functions (before 7), a replica, and an
// eviction policy that deletes keys when memory is full: an entity whose log was deleted looks like
// one that was silent, and its windows count short without anybody noticing. A field that the
// server does not show (some hide them) is not held against it.

import { WeirError } from '../../../core/errors.ts'

const VERSION_MAJOR_MIN = 7

export type RedisFault = {
  readonly kind: 'version' | 'role' | 'eviction'
  readonly found: string
  readonly expected: string
}

type Fields = ReadonlyMap<string, string>
type Rule = { readonly expected: string; readonly find: (fields: Fields) => string | null }

const rules: Readonly<Record<RedisFault['kind'], Rule>> = {
  version: {
    expected: `${VERSION_MAJOR_MIN}.0 or later`,
    find: (fields) => {
      const version = fields.get('redis_version')
      const isOld = version !== undefined && Number.parseInt(version, 10) < VERSION_MAJOR_MIN
      return isOld ? `Redis ${version}` : null
    },
  },
  role: {
    expected: 'a master: a replica refuses writes, or loses them',
    find: (fields) => {
      const role = fields.get('role')
      return role === 'slave' ? `a replica of ${fields.get('master_host')}` : null
    },
  },
  eviction: {
    expected: 'noeviction',
    find: (fields) => {
      const policy = fields.get('maxmemory_policy')
      // Without a ceiling nothing is ever evicted, whatever the policy says.
      const isEvicting = policy !== undefined && policy !== 'noeviction'
      return isEvicting && memoryMaxOf(fields) > 0 ? `maxmemory-policy ${policy}` : null
    },
  },
}

export const memoryMaxOf = (fields: Fields): number => Number(fields.get('maxmemory') ?? 0)

export function findRedisFaults(fields: Fields): readonly RedisFault[] {
  return Object.entries(rules).flatMap(([kind, { expected, find }]) => {
    const found = find(fields)
    return found === null ? [] : [{ kind: kind as RedisFault['kind'], found, expected }]
  })
}

export function checkRedis(info: string): void {
  const faults = findRedisFaults(readFields(info))
  if (faults.length === 0) return
  const sentences = faults.map(({ found, expected }) => `found ${found}, expected ${expected}.`)
  throw new WeirError('WEIR_ENRICH_STORE_UNFIT', sentences.join(' '))
}

/** Whether the server belongs to a Redis Cluster. */
export const isClusterNode = (info: string): boolean =>
  readFields(info).get('cluster_enabled') === '1'

/** `name:value` lines, as INFO and CLUSTER INFO have them. */
export function readFields(text: string): Fields {
  const fields = new Map<string, string>()
  for (const line of text.split('\n')) {
    const colon = line.indexOf(':')
    if (colon > 0 && !line.startsWith('#')) {
      fields.set(line.slice(0, colon), line.slice(colon + 1).trim())
    }
  }
  return fields
}
