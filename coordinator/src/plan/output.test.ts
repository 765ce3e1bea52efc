import { mkdir, mkdtemp, rm, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { requireOwnOutput } from "./index.ts";
import { syntheticCheckpoint } from "./testing/synthetic.ts";
import type { SlotHeader } from "./types.ts";

let directory = "";
let headers: SlotHeader[] = [];
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "amalgam-output-"));
  const path = join(directory, "models", "base");
  await mkdir(path, { recursive: true });
  const checkpoint = syntheticCheckpoint(path, [{ name: "w", dtype: "F32", shape: [2] }]);
  headers = [{ slot: { kind: "base", name: "base", path, named: true }, checkpoint }];
});
afterAll(() => rm(directory, { recursive: true }));

const publish = (...path: string[]): Promise<void> => requireOwnOutput(headers, join(directory, ...path));

test("an output that is, contains or lies inside an input is refused, each in its own words", async () => {
  await expect(publish("models", "base")).rejects.toThrow("base: is the directory of base, an input of this merge");
  await expect(publish("models")).rejects.toThrow("models: contains base, an input of this merge");
  await expect(publish("models", "base", "new", "out")).rejects.toThrow("out: lies inside the directory of base");
});

test("links on the way to an output are followed, also where the output does not exist yet", async () => {
  await symlink(join(directory, "models"), join(directory, "link"));
  await expect(publish("link")).rejects.toThrow("link: contains base");
  await expect(publish("link", "base", "out")).rejects.toThrow("out: lies inside the directory of base");
});

test("an output beside an input is accepted, also when its name begins like the input's", async () => {
  await expect(publish("models", "out")).resolves.toBeUndefined();
  await expect(publish("models", "base-merged")).resolves.toBeUndefined();
});
