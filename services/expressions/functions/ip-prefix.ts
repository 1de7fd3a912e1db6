// The network that an address belongs to, in its one canonical form.
//
//   192.0.2.77, 24 ─► 192.0.2.0/24          2001:DB8:0::1, 48 ─► 2001:db8::/48 (RFC 5952)
//
// In: an address of IPv4 or IPv6 as text, and the bits to keep. Out: address and bits; null for
// what is no address, for a zone (`%eth0`), and for bits beyond the address's. An IPv4 address
// within IPv6 (::ffff:192.0.2.1) is the IPv4 address: the same sender, seen by another socket.

export function ipPrefix(address: string, bits: number): string | null {
  if (!Number.isInteger(bits) || bits < 0 || bits > 128) return null
  const text = address.trim()
  const four = readFour(text)
  if (four !== null) return prefixOfFour(four, bits)
  const groups = readSix(text)
  if (groups === null) return null
  if (isFourInSix(groups)) {
    return prefixOfFour([...bytesOf(groups[6]!), ...bytesOf(groups[7]!)], bits)
  }
  return `${writeSix(keepBits(groups, 16, bits))}/${bits}`
}

const prefixOfFour = (bytes: readonly number[], bits: number): string | null =>
  bits > 32 ? null : `${keepBits(bytes, 8, bits).join('.')}/${bits}`

const bytesOf = (group: number): [number, number] => [group >> 8, group & 0xff]

/** Sets to zero what stands behind the first `bits` of all. */
function keepBits(parts: readonly number[], width: number, bits: number): number[] {
  return parts.map((part, index) => {
    const kept = Math.max(0, Math.min(width, bits - index * width))
    const dropped = width - kept
    return (part >> dropped) << dropped
  })
}

function readFour(text: string): number[] | null {
  const parts = text.split('.', 5)
  if (parts.length !== 4) return null
  // A leading zero means octal to some and decimal to others.
  const isDecimal = parts.every((part) => /^(?:0|[1-9]\d{0,2})$/.test(part) && Number(part) < 256)
  return isDecimal ? parts.map(Number) : null
}

const isFourInSix = (groups: readonly number[]): boolean =>
  groups[5] === 0xffff && groups.slice(0, 5).every((group) => group === 0)

/** Eight groups of 16 bits. */
function readSix(text: string): number[] | null {
  const halves = text.split('::', 3)
  if (text.length > 45 || halves.length > 2) return null
  const first = readGroups(halves[0]!, halves.length === 1)
  const second = halves.length === 2 ? readGroups(halves[1]!, true) : []
  if (first === null || second === null) return null
  const missing = 8 - first.length - second.length
  if (halves.length === 1 ? missing !== 0 : missing < 1) return null
  return [...first, ...Array.from({ length: missing }, () => 0), ...second]
}

function readGroups(text: string, mayEndInFour: boolean): number[] | null {
  if (text === '') return []
  const groups: number[] = []
  const parts = text.split(':')
  for (const [index, part] of parts.entries()) {
    const four = mayEndInFour && index === parts.length - 1 ? readFour(part) : null
    if (four !== null) groups.push(four[0]! * 256 + four[1]!, four[2]! * 256 + four[3]!)
    else if (/^[0-9a-fA-F]{1,4}$/.test(part)) groups.push(Number.parseInt(part, 16))
    else return null
  }
  return groups
}

/** `::` stands for the longest run of at least two zeros, the first of several as long. */
function writeSix(groups: readonly number[]): string {
  let start = 0
  let length = 0
  for (let from = 0; from < groups.length; from++) {
    let to = from
    while (groups[to] === 0) to += 1
    if (to - from > length) [start, length] = [from, to - from]
  }
  const write = (part: readonly number[]): string =>
    part.map((group) => group.toString(16)).join(':')
  if (length < 2) return write(groups)
  return `${write(groups.slice(0, start))}::${write(groups.slice(start + length))}`
}
