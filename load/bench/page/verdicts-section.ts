// The section of docs/benchmarks.md on the rollout's verdicts.
//
// In: a result of the case. Out: Markdown. Nothing is refused.

import type { Verdicts, VerdictsCase } from '../cases/verdicts.ts'
import { showCount } from './bars.ts'
import { table } from './markdown-table.ts'

const percent = (share: number): string => `${(share * 100).toFixed(2)} %`

export function renderVerdicts(found: VerdictsCase): string {
  const { rollouts, looks, eventsPerLook, alpha, sameRate, atTheLimit, effects } = found
  const row = (name: string, verdicts: Verdicts): string[] => [
    name,
    percent(verdicts.convicted),
    percent(verdicts.passed),
    verdicts.medianLooks === null ? 'more' : String(verdicts.medianLooks),
    percent(verdicts.convictedByRepeatedMcnemar),
  ]
  return [
    `${showCount(rollouts)} simulated rollouts per row, judged after every ${showCount(eventsPerLook)} events, ${looks} times; alpha ${alpha}. ` +
      "Convicted = a guard on the alert rate was ever broken; passed = the alert rate was ever proven to be within the band, and no guard broken before. In the first row a conviction is a false alarm, in the second either verdict is. McNemar's test is what to look at once: looked at this often, its false alarms are those of the last column.",
    table(
      ["Challenger's alerts", 'Convicted', 'Passed', 'Median looks', 'McNemar, repeated'],
      [
        row("as many as the champion's", sameRate),
        row(`${atTheLimit.ratio} times, as the band just allows`, atTheLimit),
        ...effects.map((verdicts) => row(`${verdicts.ratio} times`, verdicts)),
      ],
    ),
  ].join('\n\n')
}
