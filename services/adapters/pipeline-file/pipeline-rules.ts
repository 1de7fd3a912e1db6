// What the sections of a pipeline file have to obey beyond their shape, as a table of rules.
//
// Comes in: the definition as it would be, and the fields of the input. Goes out: faults
// with their paths, all of them. Sections with faults of shape stand at their defaults here, so
// that they are not reported again. The rules of the features are in feature-rules.ts.

import { limits } from '../../core/limits.ts'
import { nearestName } from '../../core/nearest-name.ts'
import { mlflowSource, type PipelineDefinition } from '../../core/pipeline-definition.ts'
import { formatDuration } from './duration.ts'
import { checkField, type KnownFields } from './known-fields.ts'
import { type Fault, type Path, quote, suggest } from './pipeline-fault.ts'

type SectionContext = {
  readonly definition: PipelineDefinition
  readonly transactionFields: KnownFields
  readonly retentionMsMin: number
}

type SectionRule = (context: SectionContext) => readonly Fault[]

export function findSectionFaults(context: SectionContext): readonly Fault[] {
  return sectionRules.flatMap((rule) => rule(context))
}

const sectionRules: readonly SectionRule[] = [
  findTopicFaults,
  findEntityFaults,
  ({ definition, transactionFields }) =>
    definition.output.carry.flatMap((field, index): readonly Fault[] => {
      const unknown = checkField(field, transactionFields)
      return unknown === null ? [] : [{ path: ['output', 'carry', index], at: 'value', ...unknown }]
    }),
  ({ definition }) =>
    findCeilingFault(['entities'], definition.entities.length, limits.entitiesMax),
  ({ definition }) => {
    const { length } = definition.model.challengers
    return findCeilingFault(['model', 'challengers'], length, limits.challengersMax)
  },
  findModelFaults,
  findAliasFaults,
  ({ definition: { execution } }) => {
    const timeoutMs = execution.remote?.timeoutMs ?? 1
    if (timeoutMs >= 1 && timeoutMs <= limits.remoteExamineMsMax) return []
    const path = ['execution', 'remote', 'timeout']
    const most = formatDuration(limits.remoteExamineMsMax)
    const found = formatDuration(timeoutMs)
    return [{ path, at: 'value', found, expected: `1ms to ${most}` }]
  },
  ({ definition: { policy } }) => {
    if (policy.review <= policy.block) return []
    const found = `${policy.block}, below review (${policy.review})`
    return [{ path: ['policy', 'block'], at: 'value', found, expected: 'block >= review' }]
  },
  (context) => findListFaults('deny', context),
  (context) => findListFaults('allow', context),
  findContradictions,
  ({ definition, retentionMsMin }) => {
    if (definition.store.retentionMs >= retentionMsMin) return []
    const found = formatDuration(definition.store.retentionMs)
    const least = formatDuration(retentionMsMin)
    const expected = `at least ${least} (longest window with delay and tail + late.allowed)`
    return [{ path: ['store', 'retention'], at: 'value', found, expected }]
  },
]

/** Two topics under one name would feed the scorer its own output. */
function findTopicFaults({ definition }: SectionContext): readonly Fault[] {
  const named = Object.entries(definition.topics).flatMap(([key, topic]) =>
    topic === null ? [] : [[key, topic] as const],
  )
  return named.flatMap(([key, topic], index) => {
    const path = ['topics', key]
    const twin = named.slice(0, index).find(([, other]) => other === topic)
    if (twin !== undefined) {
      const found = `${quote(topic)}, the name of ${twin[0]} too`
      return [{ path, at: 'value', found, expected: 'a name of its own' }]
    }
    if (topic.length <= 249) return []
    const expected = 'at most 249 with the prefix'
    return [{ path, at: 'value', found: `a name of ${topic.length} characters`, expected }]
  })
}

function findEntityFaults({ definition, transactionFields }: SectionContext): readonly Fault[] {
  return definition.entities.flatMap(({ name, key }) =>
    key.flatMap((field, index): readonly Fault[] => {
      const place = { path: ['entities', name, 'key', index], at: 'value' } as const
      const unknown = checkField(field, transactionFields)
      if (unknown !== null) return [{ ...place, ...unknown }]
      const { kind } = transactionFields.get(field)!
      if (kind !== 'number' && kind !== 'flag') return []
      return [
        { ...place, found: `the ${kind} field ${field}`, expected: 'a text or integer field' },
      ]
    }),
  )
}

function findCeilingFault(path: Path, count: number, max: number): readonly Fault[] {
  if (count <= max) return []
  return [{ path, at: 'key', found: `${count}`, expected: `at most ${max}` }]
}

function findModelFaults({ definition: { model } }: SectionContext): readonly Fault[] {
  const seen = new Set([`${model.champion.name} ${model.champion.version}`])
  return model.challengers.flatMap(({ name, version }, index): readonly Fault[] => {
    const id = `${name} ${version}`
    const isRepeated = seen.has(id)
    seen.add(id)
    if (!isRepeated) return []
    const path = ['model', 'challengers', index]
    return [{ path, at: 'value', found: `${id} a second time`, expected: 'each model once' }]
  })
}

/** An alias moves; a folder has versions only. */
function findAliasFaults({ definition: { model } }: SectionContext): readonly Fault[] {
  const all = [
    { path: ['model'], reference: model.champion },
    ...model.challengers.map((reference, index) => {
      return { path: ['model', 'challengers', index], reference }
    }),
  ]
  return all.flatMap(({ path, reference: { version, source } }): readonly Fault[] => {
    if (!version.startsWith('@') || source === mlflowSource) return []
    const found = `the alias ${quote(version)} of a model in a folder`
    return [{ path, at: 'value', found, expected: 'a version, or source: mlflow' }]
  })
}

function findListFaults(list: 'deny' | 'allow', { definition }: SectionContext): readonly Fault[] {
  const names = definition.entities.map((entity) => entity.name)
  return definition.policy[list].flatMap(({ entity, keys }): readonly Fault[] => {
    const path = ['policy', list, entity]
    const fields = definition.entities.find((other) => other.name === entity)?.key
    if (fields === undefined) {
      const found = `unknown entity ${quote(entity)}`
      const expected = `one of ${names.join(', ')}`
      return [{ path, at: 'key', found, expected, ...suggest(nearestName(entity, names)) }]
    }
    return keys.flatMap((key, index): readonly Fault[] => {
      if (fields.length === 1 || countParts(key) === fields.length) return []
      const expected = `${fields.join(' and ')} joined by |, a | inside of one written as \\|`
      return [{ path: [...path, index], at: 'value', found: quote(key), expected }]
    })
  })
}

/** Composite keys escape `|` and backslash within their parts, as the enrich stage joins them. */
const countParts = (key: string): number => key.replaceAll(/\\./g, '').split('|').length

/** A key that is both denied and allowed says nothing. */
function findContradictions({ definition: { policy } }: SectionContext): readonly Fault[] {
  return policy.allow.flatMap(({ entity, keys }) => {
    const denied = policy.deny.find((rule) => rule.entity === entity)?.keys ?? []
    return keys.flatMap((key, index): readonly Fault[] => {
      if (!denied.includes(key)) return []
      const path = ['policy', 'allow', entity, index]
      const found = `${quote(key)}, which policy.deny lists too`
      return [{ path, at: 'value', found, expected: 'a key in one of the lists' }]
    })
  })
}
