import { mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { openRangeWriter } from "./range-writer.ts";

let directory: string;
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), "amalgam-writer-"));
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

const fileOf = (name: string, bytes: number): string => {
  const path = join(directory, name);
  writeFileSync(path, new Uint8Array(bytes));
  return path;
};

test("ranges written at once all arrive", async () => {
  const path = fileOf("all", 1000);
  await using writer = await openRangeWriter(path);
  await Promise.all(Array.from({ length: 10 }, (_, i) => writer.write(new Uint8Array(100).fill(i), 100 * i)));
  await writer.flush();
  expect(readFileSync(path)).toEqual(Buffer.from(Array.from({ length: 1000 }, (_, i) => Math.floor(i / 100))));
});

test("a range outside of the file is refused, and later writes still go through", async () => {
  await using writer = await openRangeWriter(fileOf("outside", 8));
  await expect(writer.write(new Uint8Array(4), 6)).rejects.toThrow(/bytes \[6, 10\) are outside the file, which has 8/);
  await writer.write(new Uint8Array(8), 0);
});

test("callers during a flush share the next one, and all resolve", async () => {
  await using writer = await openRangeWriter(fileOf("flush", 1));
  const first = writer.flush();
  const [second, third] = [writer.flush(), writer.flush()];
  expect(second).toBe(third);
  expect(second).not.toBe(first);
  await Promise.all([first, second, third]);
  await writer.flush();
});

test("a missing file, a link and a device are refused", async () => {
  await expect(openRangeWriter(join(directory, "missing"))).rejects.toThrow(/no such file/);
  symlinkSync(fileOf("target", 1), join(directory, "link"));
  await expect(openRangeWriter(join(directory, "link"))).rejects.toThrow(/symbolic link/);
  await expect(openRangeWriter("/dev/null")).rejects.toThrow(/not a regular file/);
});
