// A table as Markdown.
//
// In: titles, rows of cells that are text already. Out: its lines. Nothing is refused; cells are
// taken as they are.

export function table(columns: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`
  return [line(columns), line(columns.map(() => '---')), ...rows.map(line)].join('\n')
}
