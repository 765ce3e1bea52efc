import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { openFileSource } from "./source.ts";
import { temporaryDirectory } from "./testing/support.ts";

test("ranges are read into ordinary and shared memory, by both ways of reading", async () => {
  await using directory = await temporaryDirectory();
  const path = join(directory.path, "file");
  await writeFile(
    path,
    Uint8Array.from({ length: 100 }, (_, i) => i),
  );
  await using source = await openFileSource(path);
  for (const buffer of [new ArrayBuffer(10), new SharedArrayBuffer(10)]) {
    const target = new Uint8Array(buffer, 2, 5);
    await source.readInto(target, 40);
    expect([...target]).toEqual([40, 41, 42, 43, 44]);
    source.readIntoSync(target, 95);
    expect([...target]).toEqual([95, 96, 97, 98, 99]);
  }
});

test("a range outside the file is refused, not cut short", async () => {
  await using directory = await temporaryDirectory();
  const path = join(directory.path, "file");
  await writeFile(path, "0123456789");
  await using source = await openFileSource(path, { name: "shown" });
  const target = new Uint8Array(4);
  for (const offset of [7, -1, 0.5, 2 ** 60]) {
    await expect(source.readInto(target, offset)).rejects.toThrow(
      /^shown: bytes \[.*\) were asked for, the file has 10$/,
    );
    expect(() => source.readIntoSync(target, offset)).toThrow(/were asked for/);
  }
});

test("an aborted read ends with the reason of the signal", async () => {
  await using directory = await temporaryDirectory();
  const path = join(directory.path, "file");
  await writeFile(path, "0123456789");
  await using source = await openFileSource(path);
  const signal = AbortSignal.abort(new Error("lease lost"));
  await expect(source.readInto(new Uint8Array(4), 0, { signal })).rejects.toThrow("lease lost");
});
