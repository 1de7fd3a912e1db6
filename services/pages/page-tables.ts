// Tables and figures of the report's page as text.
//
// In: rows of numbers that may be null. Out: HTML, escaped; a number that is not known is a dash.
// Nothing is refused. Invariant: figures are written without asking the machine for its language.

import { escapeText } from './page-plots.ts'

export type Say = (value: number | null) => string

const orDash =
  (say: (value: number) => string): Say =>
  (value) =>
    value === null ? '–' : say(value)

/** 1234567 as 1,234,567, without asking the machine for its language. */
const group = (digits: string): string => digits.replace(/\B(?=(\d{3})+(?!\d))/g, ',')

export const sayCount: Say = orDash((value) => group(String(Math.round(value))))
export const sayFew: Say = orDash((value) =>
  value >= 100 || Number.isInteger(value) ? group(String(Math.round(value))) : value.toFixed(1),
)
export const sayShare: Say = orDash((value) => {
  const percent = value * 100
  if (percent === 0) return '0 %'
  return `${percent < 1 ? percent.toPrecision(2) : percent.toFixed(1)} %`
})
/** Short enough for an axis: 0.01 %, 25 %, 100 %. */
export const sayRoughShare: Say = orDash((value) => `${Number((value * 100).toPrecision(3))} %`)
/** Numbers of an axis that may begin below 1. */
export const sayRough: Say = orDash((value) =>
  value >= 1 ? group(String(Math.round(value))) : String(Number(value.toPrecision(2))),
)
export const sayMeasure: Say = orDash((value) => value.toFixed(3))
export const sayScore: Say = orDash((value) => String(Number(value.toPrecision(4))))

/**
 * Two decimals fit every currency that has cents; the page says which currency it is, or that there
 * are several.
 */
export const sayMoney: Say = orDash((minor) => {
  const text = (Math.abs(minor) / 100).toFixed(2)
  return `${minor < 0 ? '-' : ''}${group(text.slice(0, -3))}${text.slice(-3)}`
})

/** Short enough for an axis: 55,800.00 as 55.8k. */
export const sayRoughMoney: Say = orDash((minor) => {
  const steps: readonly (readonly [number, string])[] = [
    [1e9, 'bn'],
    [1e6, 'm'],
    [1e3, 'k'],
  ]
  const value = minor / 100
  const [unit, sign] = steps.find(([least]) => value >= least) ?? [1, '']
  return `${Number((value / unit).toPrecision(3))}${sign}`
})

export type Column<T> = {
  readonly title: string
  readonly say: (row: T) => string
  readonly isText?: boolean
}

export function drawTable<T>(rows: readonly T[], columns: readonly Column<T>[]): string {
  const cell = (tag: string, { isText }: Column<T>, text: string): string =>
    `<${tag}${isText === true ? ' class="text"' : ''}>${escapeText(text)}</${tag}>`
  const head = columns.map((column) => cell('th', column, column.title)).join('')
  const body = rows
    .map(
      (row) => `<tr>${columns.map((column) => cell('td', column, column.say(row))).join('')}</tr>`,
    )
    .join('\n')
  const table = `<table><thead><tr>${head}</tr></thead><tbody>\n${body}</tbody></table>`
  // A wide table scrolls by itself, and can be scrolled with the keyboard.
  return `<div class="wide" tabindex="0">${table}</div>`
}

/** What only some readers want: closed until it is asked for. */
export const drawFolded = (summary: string, content: string): string =>
  `<details><summary>${escapeText(summary)}</summary>${content}</details>`

export const drawSection = (title: string, sentence: string, ...parts: readonly string[]): string =>
  `<section><h2>${escapeText(title)}</h2><p>${escapeText(sentence)}</p>${parts.join('\n')}</section>`
