// Paths as the pipeline file writes them: names, indexes, quotes, JSON inside a text.

import { expect, it } from 'vitest'
import { parsePath } from '../../services/mapping/parse-path.ts'

const name = (text: string) => ({ kind: 'name', name: text })
const index = (at: number) => ({ kind: 'index', index: at })

it.each([
  ['amount', [name('amount')]],
  ['card.holder.id', ['card', 'holder', 'id'].map(name)],
  ['items[0].sku', [name('items'), index(0), name('sku')]],
  ['[2][1]', [index(2), index(1)]],
  ['metadata."customer.id"', [name('metadata'), name('customer.id')]],
  ['"a \\"b\\" \\\\ c"', [name('a "b" \\ c')]],
  ['payload.$json.id', [name('payload'), { kind: 'json' }, name('id')]],
  ['"$json"', [name('$json')]],
  ['total amount', [name('total amount')]],
])('parse path - %s', (text, steps) => {
  expect(parsePath(text)).toEqual(steps)
})

it.each(['', 'a.', 'a..b', '.a', 'a[x]', 'a["b"]', 'a"b', '"open'])(
  'parse path - refuses %j, and says where',
  (text) => {
    expect(parsePath(text)).toMatch(
      /^expected a (path|name at character|dot or \[n\] at character)/,
    )
  },
)
