// Two copies of kafkajs' modules in one process: as they are, and accelerated.
//
// In: nothing. Out: a loader for each. Node keeps one copy of a module per path, so the stock copy
// is loaded whole first, then forgotten by the cache, and the accelerated one is loaded beside it.

import { createRequire } from 'node:module'
import { dirname, join, sep } from 'node:path'
import {
  type Acceleration,
  accelerateFrom,
} from '../../../../services/adapters/kafka/client/accelerate.ts'
import type { LoadStock } from '../../../../services/adapters/kafka/client/acceleration/stock-modules.ts'

export type Twins = {
  readonly stock: LoadStock
  readonly accelerated: LoadStock
  readonly acceleration: Acceleration
}

/** What kafkajs loads on demand, or only through these. */
const neededModules = [
  'index.js',
  'protocol/requests/produce/v3/request.js',
  'protocol/requests/produce/v7/request.js',
  'protocol/requests/fetch/v11/response.js',
]

export function loadTwins(): Twins {
  const require = createRequire(import.meta.url)
  const folder = join(dirname(require.resolve('kafkajs/package.json')), 'src')
  const belowFolder = () =>
    Object.keys(require.cache).filter((path) => path.startsWith(folder + sep))
  const forget = () => {
    for (const path of belowFolder()) delete require.cache[path]
  }
  const loadAll = (): LoadStock => {
    for (const path of neededModules) require(join(folder, path))
    const copies = new Map(belowFolder().map((path) => [path, require.cache[path]!.exports]))
    return (path) => {
      const copy = copies.get(join(folder, path))
      if (copy === undefined) throw new Error(`${path} is not among the loaded modules`)
      return copy
    }
  }
  forget()
  const stock = loadAll()
  forget()
  const acceleration = accelerateFrom(require, {})
  return { stock, accelerated: loadAll(), acceleration }
}
