// Plots of the report as inline SVG: lines, dots with intervals, bars.
//
// In: series of points and two axes. Out: SVG text that takes its colours from the page's style, so
// that it is readable on a light and a dark ground. Points that are null leave a gap. Nothing is
// refused. Invariant: coordinates are rounded to a tenth, so the bytes do not depend on how sums
// are rounded.

export type Axis = {
  readonly from: number
  readonly to: number
  readonly isLog?: boolean
  readonly ticks: readonly (readonly [at: number, text: string])[]
  readonly title: string
}

export type Point = {
  readonly x: number
  readonly y: number | null
  /** An interval around y. */
  readonly low?: number | null
  readonly high?: number | null
}

type Series = {
  readonly name: string
  /** Which of the page's colours. */
  readonly tone: 'a' | 'b' | 'c' | 'quiet'
  readonly kind: 'line' | 'dots' | 'bars'
  readonly points: readonly Point[]
}

/** A vertical line with a name, such as a threshold. */
type Mark = { readonly x: number; readonly text: string }

type Plot = {
  readonly x: Axis
  readonly y: Axis
  readonly series: readonly Series[]
  readonly marks?: readonly Mark[]
  readonly height?: number
}

const width = 760
const left = 64
const right = 28
const top = 26
const bottom = 46

export const escapeText = (text: string): string =>
  text.replace(/[&<>"]/g, (sign) => `&#${sign.charCodeAt(0)};`)

export function drawPlot({ x, y, series, marks = [], height = 260 }: Plot): string {
  const atX = createScale(x, left, width - right)
  const atY = createScale(y, height - bottom, top)
  const parts = [
    ...y.ticks.map(([at, text]) => drawRule(atY(at), text)),
    ...x.ticks.map(([at, text]) => drawTick(atX(at), height - bottom, text)),
    label(width - right, height - 8, x.title, 'end'),
    label(4, 14, y.title, 'start'),
    ...series.map((one) => drawSeries(one, atX, atY, atY(y.from))),
    ...marks.map((mark, i) => drawMark(atX(mark.x), height - bottom, mark.text, i)),
  ]
  const name = escapeText(`${y.title} by ${x.title}`)
  const box = `viewBox="0 0 ${width} ${height}"`
  const plot = `<svg ${box} role="img" aria-label="${name}">${parts.join('')}</svg>`
  // On a narrow screen a plot scrolls, so that its texts stay readable.
  return `${drawLegend(series)}<div class="wide" tabindex="0">${plot}</div>`
}

type Scale = (value: number) => number

function createScale({ from, to, isLog }: Axis, start: number, end: number): Scale {
  const bend = isLog === true ? (value: number) => Math.log(Math.max(value, from)) : Number
  const span = bend(to) - bend(from)
  return (value) => {
    const share = span === 0 ? 0.5 : (bend(value) - bend(from)) / span
    return round(start + Math.min(1, Math.max(0, share)) * (end - start))
  }
}

const round = (value: number): number => Math.round(value * 10) / 10

const label = (x: number, y: number, text: string, anchor: string): string =>
  `<text x="${x}" y="${y}" text-anchor="${anchor}">${escapeText(text)}</text>`

const drawRule = (y: number, text: string): string =>
  `<line class="rule" x1="${left}" x2="${width - right}" y1="${y}" y2="${y}"/>` +
  label(left - 6, y + 4, text, 'end')

const drawTick = (x: number, y: number, text: string): string =>
  `<line class="rule" x1="${x}" x2="${x}" y1="${y}" y2="${y + 4}"/>${label(x, y + 17, text, 'middle')}`

function drawMark(x: number, y: number, text: string, index: number): string {
  const isNearEnd = x > width - 120
  const at = label(
    x + (isNearEnd ? -4 : 4),
    top + 10 + 14 * index,
    text,
    isNearEnd ? 'end' : 'start',
  )
  return `<line class="mark" x1="${x}" x2="${x}" y1="${top}" y2="${y}"/>${at}`
}

function drawSeries(
  { kind, tone, points }: Series,
  atX: Scale,
  atY: Scale,
  ground: number,
): string {
  const known = points.filter((point) => point.y !== null)
  if (kind === 'line') return `<path class="line ${tone}" d="${linePath(points, atX, atY)}"/>`
  if (kind === 'dots') return known.map((point) => drawDot(point, tone, atX, atY)).join('')
  const broad = round(((width - left - right) / Math.max(1, points.length)) * 0.8)
  return known
    .map((point) => {
      const y = atY(point.y!)
      const tall = round(ground - y)
      return `<rect class="${tone}" x="${round(atX(point.x) - broad / 2)}" y="${y}" width="${broad}" height="${tall}"/>`
    })
    .join('')
}

function drawDot({ x, y, low, high }: Point, tone: string, atX: Scale, atY: Scale): string {
  const place = atX(x)
  const dot = `<circle class="${tone}" cx="${place}" cy="${atY(y!)}" r="4"/>`
  if (low == null || high == null) return dot
  return `<line class="line ${tone}" x1="${place}" x2="${place}" y1="${atY(low)}" y2="${atY(high)}"/>${dot}`
}

function linePath(points: readonly Point[], atX: Scale, atY: Scale): string {
  let isPenUp = true
  return points
    .map(({ x, y }) => {
      if (y === null) {
        isPenUp = true
        return ''
      }
      const step = `${isPenUp ? 'M' : 'L'}${atX(x)} ${atY(y)}`
      isPenUp = false
      return step
    })
    .join('')
}

const drawLegend = (series: readonly Series[]): string =>
  series.length < 2
    ? ''
    : `<p class="legend">${series
        .map(({ name, tone }) => `<span><i class="${tone}"></i>${escapeText(name)}</span>`)
        .join('')}</p>`

/** Powers of ten from one to another, with their texts. */
export function decades(from: number, to: number, say: (value: number) => string) {
  const ticks: [number, string][] = []
  const last = Math.floor(Math.log10(to) + 1e-9)
  for (let power = Math.floor(Math.log10(from) + 1e-9); power <= last; power++) {
    const value = Number(`1e${power}`)
    ticks.push([value, say(value)])
  }
  return ticks
}

const roundSteps = [1, 1.2, 1.6, 2, 2.4, 3.2, 4, 6, 8, 10]

/** The end of an axis whose quarters are round: 78 as 80. */
export function roundUp(value: number): number {
  if (value <= 0) return 1
  const unit = 10 ** Math.floor(Math.log10(value))
  const steps = roundSteps.map((step) => Number((step * unit).toPrecision(6)))
  return steps.find((step) => step >= value) ?? unit * 10
}

/** Four even steps. */
export const evenTicks = (from: number, to: number, say: (value: number) => string) =>
  [0, 0.25, 0.5, 0.75, 1].map((share): [number, string] => {
    const value = from + share * (to - from)
    return [value, say(value)]
  })
