// Shares that may have nothing to be a share of.

/** Null where the whole is 0: a share of nothing is not 0 and not NaN. */
export const shareOf = (part: number, whole: number): number | null =>
  whole === 0 ? null : part / whole
