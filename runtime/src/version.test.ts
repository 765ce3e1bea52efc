import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { VERSION } from "./version.ts";

const root = new URL("../../", import.meta.url);
const packageOf = (folder: string): { version: string; workspaces?: string[] } =>
  JSON.parse(readFileSync(new URL(`${folder}package.json`, root), "utf8"));

test("the version that programs tell is that of every package", () => {
  const { version, workspaces = [] } = packageOf("");
  const versions = workspaces.map((folder) => packageOf(`${folder}/`).version);
  expect(new Set([VERSION, version, ...versions])).toEqual(new Set([VERSION]));
  expect(versions).not.toHaveLength(0);
});
