import { stripVTControlCharacters } from "node:util";

/** Lays out rows in columns as wide as their widest cell, two spaces apart. The last column is not padded. */
export const table = (rows: readonly (readonly string[])[]): string => {
  const widths: number[] = [];
  for (const row of rows) {
    for (const [column, cell] of row.entries()) widths[column] = Math.max(widths[column] ?? 0, visibleLength(cell));
  }
  const lines = rows.map((row) => row.map((cell, column) => pad(cell, widths[column] ?? 0)).join("  "));
  return lines.map((line) => line.trimEnd()).join("\n");
};

const pad = (cell: string, width: number): string => cell + " ".repeat(width - visibleLength(cell));

/** Without the sequences that colour it. */
const visibleLength = (cell: string): number => stripVTControlCharacters(cell).length;
