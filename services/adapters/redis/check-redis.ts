// Whether a Redis can be trusted with state: asked once, before the first claim.
//
// In: the text of INFO. Out: nothing, or WEIR_ENRICH_STORE_UNFIT with the found, the expected and the
// setting to change. Refused: a version without functions (before 7), and an eviction policy that
// deletes keys when memory is full: an entity whose log was deleted looks like one that was silent,
// and its windows count short without anybody noticing.

import { WeirError } from '../../core/errors.ts'

const versionMajorMin = 7

export function checkRedis(info: string): void {
  const version = fieldOf(info, 'redis_version')
  if (version !== null && Number.parseInt(version, 10) < versionMajorMin) {
    refuse(`found Redis ${version}, expected ${versionMajorMin}.0 or later.`)
  }
  const policy = fieldOf(info, 'maxmemory_policy')
  const memoryMax = Number(fieldOf(info, 'maxmemory') ?? 0)
  // Without a ceiling nothing is ever evicted, whatever the policy says.
  if (policy !== null && policy !== 'noeviction' && memoryMax > 0) {
    refuse(`found maxmemory-policy ${policy}, expected noeviction.`)
  }
}

/** A field that the server does not show (some hide them) is not held against it. */
function fieldOf(info: string, name: string): string | null {
  const line = info.split('\n').find((text) => text.startsWith(`${name}:`))
  return line === undefined ? null : line.slice(name.length + 1).trim()
}

function refuse(detail: string): never {
  throw new WeirError('WEIR_ENRICH_STORE_UNFIT', detail)
}
