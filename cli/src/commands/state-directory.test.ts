import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { AmalgamError } from "@amalgam/runtime";
import { afterEach, beforeEach, expect, test } from "vitest";
import { openStateDirectory } from "./state-directory.ts";

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "amalgam-state-"));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

const failing = (code: "invalid_argument" | "unavailable") => () => Promise.reject(new AmalgamError(code, "no"));

test("a failure for good removes every directory that was made", async () => {
  const state = await openStateDirectory(join(directory, "new", "newer", "out"));
  expect(existsSync(state.path)).toBe(true);
  await expect(state.guard(failing("invalid_argument"))).rejects.toThrow("no");
  expect(readdirSync(directory)).toEqual([]);
});

test("directories that hold something else stay", async () => {
  const state = await openStateDirectory(join(directory, "new", "out"));
  writeFileSync(join(directory, "new", "other"), "");
  await expect(state.guard(failing("invalid_argument"))).rejects.toThrow();
  expect(readdirSync(join(directory, "new"))).toEqual(["other"]);
});

test("a failure that may pass keeps the journal, and the next command finds it", async () => {
  const first = await openStateDirectory(join(directory, "out"));
  expect(first.isNew).toBe(true);
  await expect(first.guard(failing("unavailable"))).rejects.toThrow();
  const second = await openStateDirectory(join(directory, "out"));
  expect(second).toMatchObject({ path: first.path, isNew: false });
  // What an earlier run learned is not thrown away by a later one's mistake.
  await expect(second.guard(failing("invalid_argument"))).rejects.toThrow();
  expect(existsSync(second.path)).toBe(true);
});

test.runIf(process.platform === "linux")("a file system that refuses names is an error, not a hang", async () => {
  await expect(openStateDirectory("/proc/amalgam/out")).rejects.toMatchObject({
    code: "permission_denied",
    message: expect.stringMatching(/^\/proc\/amalgam\/out: cannot write beside the output: [^/]+$/),
  });
});
