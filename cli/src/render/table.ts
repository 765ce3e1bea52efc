// Aligned text tables. Pure.

/** Cells, or a line across. */
export type TableRow = readonly string[] | "rule";

/** Columns as wide as their widest cell; the first is aligned left, the others right. */
export function formatTable(header: readonly string[], rows: readonly TableRow[]): string[] {
  const widthOf = (row: TableRow, column: number): number => (row === "rule" ? 0 : (row[column] ?? "").length);
  const widths = header.map((cell, column) => Math.max(cell.length, ...rows.map((row) => widthOf(row, column))));
  const rule = widths.map((width) => "─".repeat(width)).join("  ");
  const line = (cells: readonly string[]): string =>
    cells
      .map((cell, column) => (column === 0 ? cell.padEnd(widths[column]!) : cell.padStart(widths[column]!)))
      .join("  ")
      .trimEnd();
  return [line(header), rule, ...rows.map((row) => (row === "rule" ? rule : line(row)))];
}
