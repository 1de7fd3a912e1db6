// A call of a Redis Function, written as one Buffer.
//
// A call of a batch has hundreds of keys. ioredis would make several small strings and Buffers of
// each; here a request is one Buffer, which costs a third (RESP: an array of bulk strings).
// In: the function's name, keys, arguments. Out: a command that ioredis sends as it is, to a server
// or to the node of a cluster that has the keys' slot; bulk replies are Buffers. Invariant: a call
// may be sent several times, to several nodes, with the same bytes.

import { Command } from 'ioredis'
import { keySlot } from '../client/key-slot.ts'

export class FunctionCall extends Command {
  private readonly request: Buffer
  private readonly firstKey: string

  /** @param keys at least one; all of them must lie in one slot. */
  constructor(name: string, keys: readonly string[], args: readonly (string | Buffer)[]) {
    // Its arguments are in the request; null asks for Buffers.
    super('fcall', [], { replyEncoding: null })
    this.request = encodeCall(name, keys, args)
    this.firstKey = keys[0]!
  }

  override toWritable(): Buffer {
    return this.request
  }

  /** Asked by ioredis in a cluster only; it would look for the key among the arguments. */
  override getSlot(): number {
    return keySlot(this.firstKey)
  }
}

const encodeBulk = (text: string): string => `$${Buffer.byteLength(text)}\r\n${text}\r\n`

function encodeCall(
  name: string,
  keys: readonly string[],
  args: readonly (string | Buffer)[],
): Buffer {
  let head = `*${3 + keys.length + args.length}\r\n${encodeBulk('FCALL')}${encodeBulk(name)}`
  head += encodeBulk(String(keys.length))
  for (const key of keys) head += encodeBulk(key)
  const parts: Buffer[] = [Buffer.from(head)]
  for (const arg of args) {
    const bytes = typeof arg === 'string' ? Buffer.from(arg) : arg
    parts.push(Buffer.from(`$${bytes.length}\r\n`), bytes, Buffer.from('\r\n'))
  }
  return Buffer.concat(parts)
}
