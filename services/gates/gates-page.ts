// The verdicts of `weir models validate` as a page, for a build's artifacts and whoever approves a
// model.
//
// In: what was found. Out: one page: the whole verdict first, then every gate in the table's order.
// Nothing is refused. Invariants: every text escaped, for a manifest and its faults may say
// anything; no clock and no path: the same evidence gives the same page.

import { escapeText } from '../pages/page-plots.ts'
import type { GateRow, GateVerdict, Judgement } from './model-gates.ts'
import { drawPage } from './model-page.ts'

/** A word and a sign: a verdict is not told by its colour alone. */
const signs: Readonly<Record<GateVerdict, string>> = { passed: '✓', failed: '✗', skipped: '–' }

const style = `
td { vertical-align: top; } td.found { white-space: normal; overflow-wrap: anywhere; min-width: 220px; }
td.limit { white-space: normal; color: var(--soft); min-width: 140px; }
.failed { color: var(--b); font-weight: 600; } .passed { color: var(--c); } .skipped { color: var(--quiet); }
code { font-size: 13px; overflow-wrap: anywhere; }
`

export function drawGates({ model, manifestSha256, isPassed, gates }: Judgement): string {
  const name = model === null ? 'a model without a manifest' : `${model.name} ${model.version}`
  const count = (verdict: GateVerdict) => gates.filter((row) => row.verdict === verdict).length
  const tile = (verdict: GateVerdict) =>
    `<div class="tile"><b class="${verdict}">${count(verdict)}</b><span>${verdict}</span></div>`
  const body = [
    `<p>${sayVerdict(gates)} Manifest sha-256 <code>${manifestSha256}</code></p>`,
    `<div class="tiles">${(['passed', 'failed', 'skipped'] as const).map(tile).join('')}</div>`,
    `<section><h2>Gates</h2>${drawRows(gates)}</section>`,
  ]
  return drawPage(`Gates of ${name}: ${isPassed ? 'passed' : 'failed'}`, body.join('\n'), style)
}

function sayVerdict(gates: readonly GateRow[]): string {
  const failed = gates.filter(({ verdict }) => verdict === 'failed').map(({ gate }) => gate)
  return failed.length === 0
    ? 'No gate failed.'
    : `Not to be put before traffic; failed: ${failed.join(', ')}.`
}

function drawRows(gates: readonly GateRow[]): string {
  const rows = gates.map(
    ({ gate, verdict, found, limit }) =>
      `<tr><td class="text">${escapeText(gate)}</td>` +
      `<td class="text ${verdict}">${signs[verdict]} ${verdict}</td>` +
      `<td class="text found">${escapeText(found)}</td>` +
      `<td class="text limit">${escapeText(limit)}</td></tr>`,
  )
  const head = ['gate', 'verdict', 'found', 'limit'].map(
    (title) => `<th class="text">${title}</th>`,
  )
  const table = `<table><thead><tr>${head.join('')}</tr></thead><tbody>\n${rows.join('\n')}</tbody></table>`
  return `<div class="wide" tabindex="0">${table}</div>`
}
