// A file that takes rows, whatever its format.

export interface RowFile {
  write(row: object): void
  close(): void
}
