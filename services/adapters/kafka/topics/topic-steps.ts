// The changes that bring brokers and registry to the plan, one step each, in the order they are
// made.
//
// In: differences that were judged. Out: steps; the brokers are asked first whether they would take
// theirs. A subject gets its level before its schema, and all subjects come before the first topic:
// an input that is there without a schema is somebody else's, so apply cut off in the middle has to
// find none of its own like that when it is run again. Thrown when a step fails: the failure's own
// code, with what was done and what was not.

import { errorTable, WeirError } from '../../../core/errors.ts'
import { readSchema } from '../../registry/schema-files.ts'
import { subjectOf } from '../../registry/schema-registry.ts'
import { askBroker } from '../client/broker-answer.ts'
import { kafkajs } from '../client/kafka-client.ts'
import { readTopics, type TopicAdmin } from './found-topics.ts'
import type { TopicDifference } from './topic-differences.ts'
import { settingRules } from './topic-rules.ts'
import type { PlannedTopic } from './topics.ts'

type Step = {
  readonly what: string
  /** Whether it would be done, as a question; null = there is nobody to ask. */
  readonly ask: (() => Promise<unknown>) | null
  readonly run: () => Promise<unknown>
}

type Planned = { readonly planned: PlannedTopic; readonly setting: string }
type MakeStep = (deps: TopicAdmin, one: Planned) => Step

const steps: readonly (readonly [TopicDifference['kind'], MakeStep])[] = [
  ['compatibility', setLevel],
  ['schema', register],
  ['topic', create],
  ['partitions', addPartitions],
  ['config', alter],
]

export function stepsOf(deps: TopicAdmin, differences: readonly TopicDifference[]): Step[] {
  const ofKind = (kind: TopicDifference['kind'], makeStep: MakeStep) =>
    differences
      .filter((one) => one.kind === kind && isDone(one))
      .map(({ topic, setting }) =>
        makeStep(deps, { planned: deps.plan.find((one) => one.topic === topic)!, setting }),
      )
  return steps.flatMap(([kind, makeStep]) => ofKind(kind, makeStep))
}

/** Whether apply does something about it. */
export const isDone = ({ action }: TopicDifference): boolean =>
  action === 'make' || action === 'change'

function setLevel({ registry }: TopicAdmin, { planned }: Planned): Step {
  const subject = subjectOf(planned.topic)
  return {
    what: `level ${planned.compatibility} of ${subject}`,
    ask: null,
    run: () => registry.updateCompatibility(subject, planned.compatibility),
  }
}

/** Asked before, by compareSchema. */
function register({ registry }: TopicAdmin, { planned }: Planned): Step {
  const subject = subjectOf(planned.topic)
  return {
    what: `${planned.schema}.avsc in ${subject}`,
    ask: null,
    run: () => registry.register(subject, readSchema(planned.schema)),
  }
}

function create({ admin }: TopicAdmin, { planned }: Planned): Step {
  const { topic, partitions, replication, config } = planned
  const configEntries = entriesOf(Object.entries(config))
  const one = { topic, numPartitions: partitions, replicationFactor: replication, configEntries }
  // Not waitForLeaders: kafkajs gives up at once while the broker does not know the topic yet.
  const send = (validateOnly: boolean) =>
    askBroker(() => admin.createTopics({ topics: [one], validateOnly, waitForLeaders: false }))
  return { what: `topic ${topic}`, ask: () => send(true), run: () => send(false) }
}

function addPartitions({ admin }: TopicAdmin, { planned }: Planned): Step {
  const { topic, partitions: count } = planned
  const send = (validateOnly: boolean) =>
    askBroker(() => admin.createPartitions({ topicPartitions: [{ topic, count }], validateOnly }))
  return { what: `${count} partitions of ${topic}`, ask: () => send(true), run: () => send(false) }
}

function alter({ admin }: TopicAdmin, { planned, setting }: Planned): Step {
  const { topic } = planned
  const value = planned.config[setting]!
  const send = async (validateOnly: boolean): Promise<void> => {
    // As it is now: kafkajs alters by replacing all settings of a topic with those that are sent.
    const found = (await readTopics(admin, [topic])).get(topic)
    const current = found?.config.all.get(setting)
    if (current === undefined || settingRules[setting]!.isEnough(current, value)) return
    const configEntries = entriesOf([...new Map([...found!.config.own, [setting, value]])])
    const resource = { type: kafkajs.ConfigResourceTypes.TOPIC, name: topic, configEntries }
    await askBroker(() => admin.alterConfigs({ validateOnly, resources: [resource] }))
  }
  const what = `${setting} ${value} of ${topic}`
  return { what, ask: () => send(true), run: () => send(false) }
}

const entriesOf = (settings: readonly (readonly [string, string])[]) =>
  settings.map(([name, value]) => ({ name, value }))

/** The brokers' own word on all of it, before anything is changed anywhere. */
export async function askFirst(all: readonly Step[]): Promise<void> {
  for (const { ask } of all) await ask?.()
}

const detailOf = ({ message, code }: WeirError): string =>
  message.slice(`${code}: ${errorTable[code].sentence} `.length)

export async function runSteps(all: readonly Step[]): Promise<void> {
  for (const [i, step] of all.entries()) {
    try {
      await step.run()
    } catch (error) {
      if (!(error instanceof WeirError)) throw error
      const list = (some: readonly Step[]) => some.map(({ what }) => what).join(', ') || 'nothing'
      const detail =
        `${detailOf(error)}\nIt came at: ${step.what}. Done before it: ${list(all.slice(0, i))}.\n` +
        `Not done: ${list(all.slice(i))}. Run \`weir topics apply\` again: it goes on where this ended.`
      throw new WeirError(error.code, detail, { cause: error })
    }
  }
}
