// What a projection of messages is compiled to; a type only.

/**
 * Raw values in the order of the wanted paths, undefined where they are absent. Throws, in words
 * and without a value, where the bytes from `offset` on are not what they should be.
 */
export type ReadRaws = (bytes: Buffer, offset: number) => unknown[]
