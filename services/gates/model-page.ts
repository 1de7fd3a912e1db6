// The frame of a page about a model: one file that needs nothing but itself.
//
// In: a title as plain text, a body as HTML, style of its own beside the report's. Out: the page.
// Nothing is refused. Invariant: nothing is loaded from anywhere, and no script runs.

import { escapeText } from '../pages/page-plots.ts'
import { pageStyle } from '../pages/page-style.ts'

export function drawPage(title: string, body: string, style = ''): string {
  const meta =
    '<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">'
  const shown = escapeText(title)
  const head = `<head>${meta}<title>${shown}</title><style>${pageStyle}${style}</style></head>`
  return `<!doctype html>\n<html lang="en">${head}<body>\n<h1>${shown}</h1>\n${body}\n</body></html>\n`
}
