// docs/dependencies.md lists the direct dependencies that there are, and where they are imported.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { ROOT, tableAfter } from "./markdown.ts";

interface PackageJson {
  readonly workspaces?: readonly string[];
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly devDependencies?: Readonly<Record<string, string>>;
}

const manifestOf = (folder: string): PackageJson =>
  JSON.parse(readFileSync(join(ROOT, folder, "package.json"), "utf8")) as PackageJson;
const root = manifestOf(".");
const workspaces = root.workspaces ?? [];
const shipped = workspaces.filter((workspace) => workspace !== "tests");
const foreign = (names: object | undefined): string[] =>
  Object.keys(names ?? {}).filter((name) => !name.startsWith("@amalgam/"));

/** Packages that a workspace's files import, tests beside them included. */
function importsOf(workspace: string): Set<string> {
  const folder = join(ROOT, workspace);
  const files = readdirSync(folder, { recursive: true, encoding: "utf8" }).filter(
    (file) => file.endsWith(".ts") && !/(^|\/)(node_modules|dist)\//.test(file),
  );
  const imports = /(?:from|import)\s*\(?\s*"((?:@[\w-]+\/)?[\w-]+)[^"]*"/g;
  return new Set(
    files.flatMap((file) =>
      [...readFileSync(join(folder, file), "utf8").matchAll(imports)].map(([, name = ""]) => name),
    ),
  );
}

const nameOf = ([cell = ""]: readonly string[]): string => cell.replaceAll("`", "");
const runtime = tableAfter("docs/dependencies.md", "| package | imported by |");
const development = tableAfter("docs/dependencies.md", "For development only");

test("what ships depends on what is listed, and on nothing else", () => {
  const declared = new Set(shipped.flatMap((workspace) => foreign(manifestOf(workspace).dependencies)));
  expect(runtime.map(nameOf).toSorted()).toEqual([...declared].toSorted());
});

test("what is for development is listed, and nothing else", () => {
  const declared = new Set([".", ...workspaces].flatMap((folder) => foreign(manifestOf(folder).devDependencies)));
  expect(development.map(nameOf).toSorted()).toEqual([...declared].toSorted());
});

test("each dependency is imported by the packages said, and has a reason", () => {
  const imports = new Map(shipped.map((workspace) => [workspace, importsOf(workspace)]));
  for (const row of runtime) {
    const importers = shipped.filter((workspace) => imports.get(workspace)?.has(nameOf(row)));
    expect(row[1]?.split(", ").toSorted(), nameOf(row)).toEqual(importers.toSorted());
    expect(row[2], nameOf(row)).not.toBe("");
  }
});

test("versions are pinned", () => {
  for (const folder of [".", ...workspaces]) {
    const { dependencies, devDependencies } = manifestOf(folder);
    for (const [name, version] of Object.entries({ ...dependencies, ...devDependencies })) {
      if (!name.startsWith("@amalgam/")) expect(version, `${folder}: ${name}`).toMatch(/^\d+\.\d+\.\d+(-[\w.]+)?$/);
    }
  }
});
