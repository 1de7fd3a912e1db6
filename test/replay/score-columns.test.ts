// The names of the score columns: short where they can be, never two alike.

import { expect, test } from 'vitest'
import { nameScoreColumns } from '../../services/replay/score-columns.ts'
import { shippedPipeline } from './replay-world.ts'

const definition = shippedPipeline()
const { champion } = definition.model

const columnsFor = (models: readonly string[], features: readonly string[] = []) =>
  nameScoreColumns({
    features: features.map((name) => ({ ...definition.features[0]!, name })),
    model: {
      champion,
      challengers: models.map((id) => {
        const [name, version] = id.split(' ') as [string, string]
        return { ...champion, name, version }
      }),
    },
  })

test('score columns - are the version, and the name too where that is taken', () => {
  expect(columnsFor([])).toEqual(['score'])
  expect(columnsFor(['a 2', 'b 2', 'a 3.1'])).toEqual([
    'score',
    'score_2',
    'score_b_2',
    'score_3.1',
  ])
  expect(columnsFor(['a 2'], ['score_2'])).toEqual(['score', 'score_a_2'])
})

test.each([[['score']], [['decision']], [['score_2', 'score_a_2']]])(
  'score columns - refuses features named %j',
  (features) => {
    expect(() => columnsFor(['a 2'], features)).toThrow(
      /^WEIR_PIPELINE_INVALID: .*found the column/,
    )
  },
)
