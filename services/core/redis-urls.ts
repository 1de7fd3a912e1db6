// The text of WEIR_REDIS_URL: one URL, or several nodes of a Redis Cluster separated by commas.
//
// In: the text. Out: its URLs, or undefined where it is not as expected. Refused: other protocols,
// and several URLs of which some speak TLS and others do not, or that log in differently: the nodes
// that a cluster names besides are reached in one way. A comma counts as one only before the next
// URL, because a password may hold it too.

const protocols = ['redis:', 'rediss:']

export function readRedisUrls(text: string): readonly string[] | undefined {
  const urls = text.split(/,\s*(?=rediss?:\/\/)/)
  if (!urls.every((url) => URL.canParse(url) && protocols.includes(new URL(url).protocol))) {
    return undefined
  }
  const ways = new Set(urls.map(wayIn))
  return ways.size === 1 ? urls : undefined
}

/** All of a URL but where it leads to. */
function wayIn(text: string): string {
  const { protocol, username, password, pathname, search } = new URL(text)
  return JSON.stringify([protocol, username, password, pathname.replace(/^\/$/, ''), search])
}
