// Who ran with a prefix before the group had it, too: not begun anew without a word.
//
// In: the settings, the definition, a client. Refused (WEIR_ENVIRONMENT_UNFIT): the group without
// the prefix has committed offsets of these topics, and the one with it has none, so a scorer would
// score everything again and with another store. Nothing is looked at without a prefix, or where a
// group is set.

import type { Kafka } from '../adapters/kafka/client/kafka-client.ts'
import { committedPositions } from '../adapters/kafka/ranges/topic-bounds.ts'
import { WeirError } from '../core/errors.ts'
import type { PipelineDefinition } from '../core/pipeline-definition.ts'
import { groupOf, type Settings } from '../core/settings.ts'

export async function refuseMovedGroup(
  kafka: Kafka,
  { pipeline, topics: { transactions } }: PipelineDefinition,
  settings: Pick<Settings, 'groupId' | 'topicPrefix'>,
): Promise<void> {
  if (settings.groupId !== null || settings.topicPrefix === '') return
  const before = groupOf({ groupId: null, topicPrefix: '' }, pipeline)
  const now = groupOf(settings, pipeline)
  const hasCommitted = async (groupId: string): Promise<boolean> => {
    const positions = await committedPositions(kafka, groupId, transactions)
    return [...positions.values()].some(({ offset }) => offset >= 0)
  }
  if (!(await hasCommitted(before)) || (await hasCommitted(now))) return
  const detail =
    `The group ${before} has committed offsets of ${transactions}, and ${now} has none: ` +
    `a prefix has a group and keys of its own. To go on where that group stands, set ` +
    `WEIR_GROUP_ID=${before} and WEIR_KEY_PREFIX=weir; to begin anew, delete that group.`
  throw new WeirError('WEIR_ENVIRONMENT_UNFIT', detail)
}
