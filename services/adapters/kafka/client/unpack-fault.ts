// Why a record batch cannot be unpacked: the one error that all codecs throw for bad bytes.
//
// In: what was met. Out: an error whose message goes into the detail of the rejected record, and so
// holds lengths and positions, never an event's bytes.

import { limits } from '../../../core/limits.ts'

export class UnpackFault extends Error {}

const MIB = 1024 * 1024

export const tooLarge = (codec: string): UnpackFault => {
  const most = limits.batchUnpackedBytesMax / MIB
  return new UnpackFault(`${codec}: unpacks to more than ${most} MiB (batchUnpackedBytesMax)`)
}

/** Refuses before anything of that size is allocated. */
export function demandStage(codec: string, bytes: number): void {
  if (bytes > limits.batchUnpackedBytesMax) throw tooLarge(codec)
}
