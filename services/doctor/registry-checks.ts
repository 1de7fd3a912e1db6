// What the schema registry has to have: the table.
//
// In: a SubjectSight for each topic of the plan. Out: verdicts. Refused, as fatal: the schema of an
// output that is not registered, because a running service registers nothing. An input's schema is
// its producer's business, as long as the registry keeps it readable.

import { isInput } from '../adapters/kafka/topics/topic-rules.ts'
import type { TopicRole } from '../adapters/kafka/topics/topics.ts'
import type { SubjectSight } from '../adapters/registry/inspect-registry.ts'
import { isAsStrict } from '../adapters/registry/schema-compatibility.ts'
import { subjectOf } from '../adapters/registry/schema-registry.ts'
import { type Check, type Examination, fatal, orOk, warning } from './finding.ts'
import type { Needs } from './needs.ts'

const APPLY = 'run `weir topics apply`'
const OWNER = 'its owner decides: `weir topics check` has the command'
/** Whose schemas the scorer looks up when it starts. */
const written: readonly TopicRole[] = ['scored', 'alerts', 'driftSamples', 'rejected', 'late']

export const wantedSubjects = ({ plan }: Pick<Needs, 'plan'>) =>
  plan.map(({ topic, schema }) => ({ subject: subjectOf(topic), schema }))

const checks: readonly Check<readonly SubjectSight[]>[] = [
  {
    name: 'schemas',
    why: 'a running service registers nothing; it looks up what it writes',
    worst: 'fatal',
    judge: (subjects, { plan }) => {
      const faults = subjects.flatMap(({ subject, schema, isRegistered, latestVersion }, i) => {
        const { role, isForeign } = plan[i]!
        // A producer's own schema is as good: what cannot be read of it is rejected and says so.
        if (isRegistered || isForeign || (isInput(role) && latestVersion !== null)) return []
        const others = latestVersion === null ? 'nothing' : `version ${latestVersion}, another one`
        const found = `${subject} has ${others} for ${schema}.avsc`
        return (written.includes(role) ? fatal : warning)(found, APPLY)
      })
      return orOk(faults, `all ${subjects.length} are registered`)
    },
  },
  {
    name: 'compatibility',
    why: 'without it somebody may register a schema that readers or this scorer cannot read',
    worst: 'warning',
    judge: (subjects, { plan }) => {
      const faults = subjects.flatMap(({ subject, level }, i) => {
        const { role, isForeign, compatibility: wanted } = plan[i]!
        if (isForeign || isAsStrict(level, wanted)) return []
        const isOwners = isInput(role) || !isAsStrict(wanted, level ?? 'NONE')
        const change = `${wanted} (${isOwners ? OWNER : APPLY})`
        return warning(`${subject}: ${level ?? 'no level of its own'}`, change)
      })
      return orOk(faults, 'as planned')
    },
  },
]

export const registryExamination: Examination<readonly SubjectSight[]> = {
  system: 'registry',
  reach: {
    name: 'answers',
    why: 'schema ids of events are looked up there; a scorer that starts needs it',
    change: 'WEIR_REGISTRY_URL, WEIR_REGISTRY_USERNAME and WEIR_REGISTRY_PASSWORD, or the registry',
  },
  checks,
}
