// Inputs of pipelines as their files would map them.
//
// `shippedInput`: a file that maps nothing, whose events are those of schemas/transaction.avsc and
// label.avsc; `mappedInput`: fields as they are written under input.transactions.fields.

import { readInput } from '../../services/adapters/pipeline-file/read-input.ts'
import { readSoundly } from '../../services/adapters/pipeline-file/sound-value.ts'
import type { WrittenField } from '../../services/adapters/pipeline-file/written-field.ts'
import type { PipelineDefinition } from '../../services/core/pipeline-definition.ts'

type Input = Pick<PipelineDefinition, 'input' | 'entities'>
type Written = Readonly<Record<string, string | WrittenField>>

export function mappedInput(
  fields: { readonly transactions?: Written; readonly labels?: Written },
  entities: PipelineDefinition['entities'] = [],
): Input {
  const streams = Object.entries(fields).map(([stream, each]) => [stream, { fields: each }])
  const file = readSoundly({ input: Object.fromEntries(streams) }, [])
  return { input: readInput(file, entities), entities }
}

export const cardInput: Input = mappedInput({}, [
  { name: 'customer', key: ['customerId'] },
  { name: 'terminal', key: ['terminalId'] },
])

export const shippedInput = cardInput.input
