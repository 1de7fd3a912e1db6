// What the registry has of the schemas that a service reads and writes, without changing anything.
//
// In: subjects with the schema files that belong to them. Out: one SubjectSight each, in their
// order. Thrown: WEIR_REGISTRY_AWAY. Invariant: nothing is registered and no level is set.

import { readSchema, type SchemaFile } from './schema-files.ts'
import type { CompatibilityLevel, Registry } from './schema-registry.ts'

type WantedSubject = {
  readonly subject: string
  readonly schema: SchemaFile
}

export type SubjectSight = WantedSubject & {
  readonly isRegistered: boolean
  /** null where the subject has no version at all. */
  readonly latestVersion: number | null
  /** Its own level; null = the registry's default counts. */
  readonly level: CompatibilityLevel | null
}

export const inspectSubjects = (
  registry: Registry,
  wanted: readonly WantedSubject[],
): Promise<readonly SubjectSight[]> =>
  Promise.all(
    wanted.map(async ({ subject, schema }) => {
      const [id, latest, level] = await Promise.all([
        registry.lookUp(subject, readSchema(schema)),
        registry.latest(subject),
        registry.compatibility(subject),
      ])
      const latestVersion = latest?.version ?? null
      return { subject, schema, isRegistered: id !== null, latestVersion, level }
    }),
  )
