// A source of fetches whose first fitting item is looked at before anybody reads it.
//
// In: a source. Out: the item, or null where there is none, and the whole source from its
// beginning. Only what was fetched to find the item is held.

export type PeekedSource<T> = {
  readonly first: T | null
  readonly all: AsyncGenerator<readonly T[]>
}

export async function peekAt<T>(
  source: AsyncIterable<readonly T[]>,
  fits: (item: T) => boolean,
): Promise<PeekedSource<T>> {
  const fetches = source[Symbol.asyncIterator]()
  const held: (readonly T[])[] = []
  let first: T | null = null
  while (first === null) {
    const next = await fetches.next()
    if (next.done === true) break
    held.push(next.value)
    first = next.value.find(fits) ?? null
  }
  return { first, all: readOn(held, fetches) }
}

async function* readOn<T>(
  held: (readonly T[])[],
  fetches: AsyncIterator<readonly T[]>,
): AsyncGenerator<readonly T[]> {
  try {
    while (held.length > 0) yield held.shift()!
    for (;;) {
      const next = await fetches.next()
      if (next.done === true) return
      yield next.value
    }
  } finally {
    await fetches.return?.()
  }
}
