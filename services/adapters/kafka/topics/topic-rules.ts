// What is enough of each setting of a topic that is there already, and what apply may do about the
// rest.
//
// In: found and planned values. Out: whether they differ in a way that matters, as data: one row
// per setting. Invariant: a row that apply mends only ever keeps more or takes more (longer
// retention, larger batches); everything else, and every topic of somebody else, is told to its
// owner.

import type { PlannedTopic, TopicRole } from './topics.ts'

type SettingRule = {
  /** Whose topics need it: of all others any value is as good. */
  readonly isNeededBy: (planned: Pick<PlannedTopic, 'role' | 'isReadBack'>) => boolean
  readonly isEnough: (found: string, planned: string) => boolean
  /** Whether apply brings Weir's own topics to the plan. */
  readonly isMended: boolean
  /** What it is good for, told beside a difference that is left alone. */
  readonly reason: string
}

export const isInput = (role: TopicRole): boolean => role === 'transactions' || role === 'labels'

const everyTopic = () => true
const inputs = ({ role }: Pick<PlannedTopic, 'role'>): boolean => isInput(role)
const outputs = ({ role }: Pick<PlannedTopic, 'role'>): boolean => !isInput(role)
const equal = (found: string, planned: string): boolean => found === planned
const atLeast = (found: string, planned: string): boolean => Number(found) >= Number(planned)
/** -1 is without end. */
const keepsAsLong = (found: string, planned: string): boolean =>
  found === '-1' || (planned !== '-1' && atLeast(found, planned))

/** Settings that are planned and not here are given to topics that are made, and never compared. */
export const settingRules: Readonly<Record<string, SettingRule>> = {
  'cleanup.policy': {
    isNeededBy: everyTopic,
    isEnough: equal,
    isMended: false,
    reason: 'Another policy removes events that are there: look at them first.',
  },
  'retention.ms': {
    isNeededBy: ({ isReadBack }) => isReadBack,
    isEnough: keepsAsLong,
    isMended: true,
    reason: 'Lost state is read from it again.',
  },
  'retention.bytes': {
    isNeededBy: ({ isReadBack }) => isReadBack,
    isEnough: keepsAsLong,
    isMended: false,
    reason: 'It may cut what retention.ms would keep; more of it takes disk.',
  },
  'message.timestamp.type': {
    isNeededBy: inputs,
    isEnough: equal,
    isMended: false,
    reason: 'Event times are held against the times of its messages; other readers may use those.',
  },
  'max.message.bytes': {
    isNeededBy: outputs,
    isEnough: atLeast,
    isMended: true,
    reason: 'A batch of one lane has to fit.',
  },
  'min.insync.replicas': {
    isNeededBy: everyTopic,
    isEnough: atLeast,
    isMended: false,
    reason: 'With fewer copies acknowledged events can be lost; with more, writing stops sooner.',
  },
}
