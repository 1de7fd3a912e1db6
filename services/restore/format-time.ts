// A moment as an operator reads it: ISO 8601 in UTC, to the second.

export const formatTime = (timeMs: number): string =>
  `${new Date(timeMs).toISOString().slice(0, 19)}Z`
