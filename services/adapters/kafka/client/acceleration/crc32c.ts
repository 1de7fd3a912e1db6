// The checksum of a record batch (CRC-32C), native instead of a byte loop in JavaScript.
// In: a buffer. Out: the checksum as an unsigned 32-bit number, equal to the stock one.

import { crc32c } from '@node-rs/crc32'

export const replaceCrc32c = () => (buffer: Buffer) => crc32c(buffer)
