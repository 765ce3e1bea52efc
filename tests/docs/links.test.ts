// Links of the documentation lead somewhere.
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { expect, test } from "vitest";
import { PAGES, ROOT, readPage } from "./markdown.ts";

/** As GitHub names headings. */
const anchorsOf = (page: string): string[] =>
  [...readPage(page).matchAll(/^#+ (.*)$/gm)].map(([, heading = ""]) =>
    heading
      .toLowerCase()
      .replace(/[^\p{L}\p{N} _-]/gu, "")
      .replaceAll(" ", "-"),
  );

test.each(PAGES)("every link of %s to a file or a heading of this repository leads there", (page) => {
  const links = [...readPage(page).matchAll(/\]\(([^)\s]+)\)/g)].map(([, target = ""]) => target);
  for (const link of links.filter((target) => !/^[a-z]+:/.test(target))) {
    const [path = "", anchor] = link.split("#");
    const target = path === "" ? page : join(dirname(page), path);
    expect(existsSync(join(ROOT, target)), `${page}: ${link}`).toBe(true);
    if (anchor !== undefined) expect(anchorsOf(target), `${page}: ${link}`).toContain(anchor);
  }
});

test.each(["README.md", "ARCHITECTURE.md"])("every path that %s writes as code exists", (page) => {
  const outside = /^(out|docs|nats-data|amalgam-state)\//;
  const written = [...readPage(page).matchAll(/`([\w.-]+(?:\/[\w.-]+)+)`/g)].map(([, path = ""]) => path);
  const paths = written.filter((path) => /^[a-z-]+\/(src|proto|harness|e2e)\b/.test(path) && !outside.test(path));
  if (page === "ARCHITECTURE.md") expect(paths.length).toBeGreaterThan(20);
  for (const path of paths) expect(existsSync(join(ROOT, path)), `${page}: ${path}`).toBe(true);
});
