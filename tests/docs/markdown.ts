// Reads this repository's Markdown: its files, their links, fenced blocks and tables. Not a Markdown parser; knows what these pages use.
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

export const ROOT: string = fileURLToPath(new URL("../..", import.meta.url));

/** Paths from the repository's root of all Markdown files that git knows or would. */
export const PAGES: readonly string[] = execFileSync(
  "git",
  ["ls-files", "--cached", "--others", "--exclude-standard", "*.md"],
  { cwd: ROOT, encoding: "utf8" },
)
  .split("\n")
  .filter((path) => path !== "");

export const readPage = (path: string): string => readFileSync(join(ROOT, path), "utf8");

export interface Block {
  readonly page: string;
  readonly language: string;
  /** Text of an HTML comment on the line before the block. */
  readonly note: string;
  readonly text: string;
}

export function blocksOf(page: string): Block[] {
  const fenced = /(?:^<!-- (.*?) -->\n)?^```(\w*)\n([\s\S]*?)^```$/gm;
  return [...readPage(page).matchAll(fenced)].map(([, note = "", language = "", text = ""]) => {
    return { page, note, language, text };
  });
}

/** Rows of the table that follows the first line containing `after`, without the header; cells trimmed. */
export function tableAfter(page: string, after: string): string[][] {
  const lines = readPage(page).split("\n");
  const start = lines.findIndex(
    (line, index) => index >= lines.findIndex((each) => each.includes(after)) && /^\|/.test(line),
  );
  const end = lines.findIndex((line, index) => index > start && !line.startsWith("|"));
  const rows = lines.slice(start + 2, end === -1 ? undefined : end);
  return rows.map((row) =>
    row
      .split("|")
      .slice(1, -1)
      .map((cell) => cell.trim()),
  );
}
