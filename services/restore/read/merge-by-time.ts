// Several sources merged by time: the earliest head goes first, of equal ones that of the first
// source.
//
// A source's own order never changes. Reading stops when the caller stops, and all sources are
// closed.

export async function* mergeByTime<T extends { readonly atMs: number }>(
  sources: readonly AsyncGenerator<T>[],
): AsyncGenerator<T> {
  try {
    const heads = await Promise.all(sources.map((source) => source.next()))
    for (;;) {
      let first = -1
      for (const [i, head] of heads.entries()) {
        if (head.done === true) continue
        if (first < 0 || head.value.atMs < heads[first]!.value.atMs) first = i
      }
      if (first < 0) return
      yield heads[first]!.value
      heads[first] = await sources[first]!.next()
    }
  } finally {
    await Promise.all(sources.map((source) => source.return(undefined)))
  }
}
