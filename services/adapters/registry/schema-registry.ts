// The schema registry as a control plane: subjects and schemas in, ids and verdicts out.
//
// Used at start, by `weir topics`, and when an unknown schema id comes up; never per event. What
// the registry says is a value (null = it has no such thing); what keeps it from answering is
// thrown as WEIR_REGISTRY_AWAY after bounded retries, and a refused schema as
// WEIR_REGISTRY_INCOMPATIBLE with the registry's own reason. Subjects are `<topic>-value`: the
// client's other strategies ask the registry once per topic, which Apicurio answers with 404
// (traps.md). Whoever observes is told of each exchange, whether the registry answered. Invariant:
// a proxy's 404 is an outage, only the registry's own is an answer.

import { RestError } from '@confluentinc/schemaregistry/dist/rest-error.js'
// Not the package's index: it loads every key-management driver, 1 s and 50 MB at each start.
import {
  type Compatibility,
  type Reference,
  type SchemaInfo,
  SchemaRegistryClient,
} from '@confluentinc/schemaregistry/dist/schemaregistry-client.js'
import { WeirError } from '../../core/errors.ts'
import { limits } from '../../core/limits.ts'
import { type Observe, observeNothing } from '../../pipeline/observe/signals.ts'

const firstPauseMs = 50
const requestMsMax = 5000
/** Confluent's codes: subject, version, schema not found; no level set for the subject. */
const notFoundCodes: readonly number[] = [40401, 40402, 40403, 40408]
const refusedStatuses: readonly number[] = [409, 422]

export type CompatibilityLevel = `${Compatibility}`
export type RegisteredSchema = {
  readonly id: number
  readonly version: number
  readonly schemaText: string
}

export type Registry = {
  /** Without credentials. */
  readonly address: string
  readonly register: (subject: string, schemaText: string) => Promise<number>
  /** Id of exactly this schema under the subject, whichever version; null = not registered. */
  readonly lookUp: (subject: string, schemaText: string) => Promise<number | null>
  readonly latest: (subject: string) => Promise<RegisteredSchema | null>
  readonly schemaById: (id: number, subject: string) => Promise<string | null>
  /** The same with all schemas that it refers to, and those that they refer to. */
  readonly writerById: (id: number, subject: string) => Promise<WriterSchema | null>
  /** By the subject's level against the versions that it covers; a new subject accepts all. */
  readonly testCompatibility: (subject: string, schemaText: string) => Promise<boolean>
  /** The subject's own level; null = none of its own, the registry's default counts. */
  readonly compatibility: (subject: string) => Promise<CompatibilityLevel | null>
  readonly updateCompatibility: (subject: string, level: CompatibilityLevel) => Promise<void>
  readonly close: () => Promise<void>
}

export type WriterSchema = {
  readonly schemaText: string
  /** Text by the name that it is referred to by. */
  readonly references: ReadonlyMap<string, string>
}

export const subjectOf = (topic: string): string => `${topic}-value`

/** How long a caller waits for a registry that is away; all attempts and pauses unless given. */
export type RegistryPatience = { readonly attemptsMax: number; readonly requestMsMax: number }

const fullPatience: RegistryPatience = { attemptsMax: limits.retryAttemptsMax, requestMsMax }

/**
 * Opens nothing yet: the first call tells whether the registry is there. Credentials in the URL.
 */
export function connectRegistry(
  url: string,
  patience = fullPatience,
  observe: Observe = observeNothing,
): Registry {
  const { client, place } = openClient(url, patience)
  const schema = (schemaText: string) => ({ schema: schemaText, schemaType: 'AVRO' })
  const tell = (state: 'up' | 'down', detail: string): void =>
    observe({ kind: 'connection', system: 'registry', state, detail })
  const ask = async <T>(call: () => Promise<T>): Promise<T> => {
    try {
      const answer = await call()
      tell('up', '')
      return answer
    } catch (error) {
      const trouble = troubleOf(place, error)
      tell(isNotFound(error) || !trouble.canRetry ? 'up' : 'down', trouble.message)
      throw isNotFound(error) ? error : trouble
    }
  }
  const refuse = (error: unknown): never => {
    throw isNotFound(error) ? troubleOf(place, error) : error
  }
  const demand = <T>(call: () => Promise<T>): Promise<T> => ask(call).catch(refuse)
  const find = <T>(call: () => Promise<T>): Promise<T | null> =>
    ask(call).catch((error) => (isNotFound(error) ? null : refuse(error)))

  const testCompatibility = async (subject: string, schemaText: string): Promise<boolean> => {
    const versions = (await find(() => client.getAllVersions(subject))) ?? []
    const level = await find(() => client.getCompatibility(subject))
    const covered = level?.endsWith('_TRANSITIVE') ? versions : versions.slice(-1)
    for (const version of covered) {
      const test = () => client.testCompatibility(subject, version, schema(schemaText))
      if (!(await demand(test))) return false
    }
    return true
  }

  const fetchReferred = ({ subject, version }: Reference) =>
    demand(() => client.getSchemaMetadata(subject, version))
  return {
    address: place,
    register: (subject, schemaText) => demand(() => client.register(subject, schema(schemaText))),
    lookUp: (subject, schemaText) => find(() => client.getId(subject, schema(schemaText))),
    latest: async (subject) => {
      client.clearLatestCaches()
      const found = await find(() => client.getLatestSchemaMetadata(subject))
      if (found === null) return null
      return { id: found.id!, version: found.version!, schemaText: found.schema }
    },
    schemaById: async (id, subject) =>
      (await find(() => client.getBySubjectAndId(subject, id)))?.schema ?? null,
    writerById: async (id, subject) => {
      const found = await find(() => client.getBySubjectAndId(subject, id))
      if (found === null) return null
      const references = new Map<string, string>()
      await collectReferences(found.references, references, fetchReferred)
      return { schemaText: found.schema, references }
    },
    testCompatibility,
    compatibility: (subject) => find(() => client.getCompatibility(subject)),
    updateCompatibility: async (subject, level) => {
      await demand(() => client.updateCompatibility(subject, level as Compatibility))
    },
    close: () => client.close(),
  }
}

async function collectReferences(
  referred: readonly Reference[] = [],
  found: Map<string, string>,
  fetch: (reference: Reference) => Promise<SchemaInfo>,
): Promise<void> {
  for (const reference of referred) {
    if (found.has(reference.name)) continue
    const { schema = '', references } = await fetch(reference)
    found.set(reference.name, schema)
    await collectReferences(references, found, fetch)
  }
}

/** The client retries by itself: no answer, 408, 429 and 5xx, with jitter, at most this often. */
function openClient(url: string, patience: RegistryPatience) {
  const { username, password, origin, pathname } = parseUrl(url)
  const place = origin + pathname.replace(/\/$/, '')
  const userInfo = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`
  const client = new SchemaRegistryClient({
    baseURLs: [place],
    createAxiosDefaults: { timeout: patience.requestMsMax },
    maxRetries: patience.attemptsMax - 1,
    retriesWaitMs: firstPauseMs,
    retriesMaxWaitMs: limits.retryPauseMsMax,
    ...(username === ''
      ? {}
      : { basicAuthCredentials: { credentialsSource: 'USER_INFO', userInfo } }),
  })
  return { client, place }
}

function parseUrl(url: string): URL {
  const parsed = URL.parse(url)
  if (parsed !== null && /^https?:$/.test(parsed.protocol)) return parsed
  const expected = 'expected http(s)://host:port/path (setting WEIR_REGISTRY_URL or --registry)'
  throw new WeirError('WEIR_SETTINGS_INVALID', `Found no registry address, ${expected}.`)
}

const isNotFound = (error: unknown): boolean =>
  error instanceof RestError && error.status === 404 && notFoundCodes.includes(error.errorCode)

function troubleOf(place: string, error: unknown): WeirError {
  const reason = error instanceof Error ? error.message : String(error)
  if (error instanceof RestError && refusedStatuses.includes(error.status)) {
    return new WeirError('WEIR_REGISTRY_INCOMPATIBLE', reason, { cause: error })
  }
  const status = error instanceof RestError ? ` with status ${error.status}` : ''
  const detail = `Asked ${place}, which failed${status}: ${reason}`
  // Not as the cause: the HTTP client's errors carry the request with its credentials.
  return new WeirError('WEIR_REGISTRY_AWAY', detail)
}
