// The columns of scored.parquet that hold scores: one per model.
//
//   score               the champion's
//   score_<version>     a challenger's; score_<name>_<version> where that name is taken
//
// In: a definition. Out: the columns' names, champion first, in the order of the pipeline's models.
// Refused with WEIR_PIPELINE_INVALID: features that are named as one of these columns. Invariant:
// the names follow from the pipeline file alone.

import { WeirError } from '../core/errors.ts'
import type { PipelineDefinition } from '../core/pipeline-definition.ts'

export function nameScoreColumns({
  features,
  model,
}: Pick<PipelineDefinition, 'features' | 'model'>): readonly string[] {
  const taken = new Set(features.map(({ name }) => name))
  const columns = ['score', 'decision']
  for (const { name, version } of model.challengers) {
    const short = `score_${version}`
    const isFree = !columns.includes(short) && !taken.has(short)
    columns.push(isFree ? short : `score_${name}_${version}`)
  }
  const twice = columns.find((name, i) => taken.has(name) || columns.indexOf(name) !== i)
  if (twice === undefined) return columns.filter((name) => name !== 'decision')
  throw new WeirError(
    'WEIR_PIPELINE_INVALID',
    `found the column ${twice} of scored.parquet twice, expected a feature or model of another name.`,
  )
}
