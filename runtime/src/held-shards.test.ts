import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { createHeldShards, type HeldShards } from "./held-shards.ts";

let spillDirectory: string;
beforeEach(() => {
  spillDirectory = mkdtempSync(join(tmpdir(), "amalgam-held-test-"));
});
afterEach(() => rmSync(spillDirectory, { recursive: true }));

const bytes = (length: number): Uint8Array => Uint8Array.from({ length }, (_, i) => i);
const shard = (candidateId: string, sha256 = "d1", jobId = "job") => ({ jobId, shard: 3, candidateId, sha256 });

async function contentOf(held: HeldShards, sha256 = "d1"): Promise<Uint8Array | undefined> {
  const chunks = held.read("job", 3, sha256, 4);
  return chunks && Buffer.concat(await Array.fromAsync(chunks));
}

test("candidates with the same merged bytes share them until the last is dropped", async () => {
  await using held = createHeldShards({ memoryBytes: 100, spillDirectory });
  await held.hold(shard("a"), bytes(10));
  await held.hold(shard("b"), bytes(10));
  expect(held.memoryBytes).toBe(10);
  expect(held.list().map(({ candidateId }) => candidateId)).toEqual(["a", "b"]);
  held.drop("job", ["a"]);
  expect(await contentOf(held)).toEqual(Buffer.from(bytes(10)));
  held.drop("job", ["b"]);
  expect(await contentOf(held)).toBeUndefined();
  expect(held.memoryBytes).toBe(0);
});

test("forgetting a job leaves the shards of others", async () => {
  await using held = createHeldShards({ memoryBytes: 100, spillDirectory });
  await held.hold(shard("a", "d1", "one"), bytes(10));
  await held.hold(shard("a", "d1", "two"), bytes(5));
  held.forget("one");
  expect(held.list()).toEqual([{ jobId: "two", shard: 3, candidateId: "a", sha256: "d1", byteLength: 5 }]);
  expect(held.memoryBytes).toBe(5);
});

test("what does not fit in memory is read from a file that has no name", async () => {
  await using held = createHeldShards({ memoryBytes: 15, spillDirectory });
  await held.hold(shard("a", "d1"), bytes(10));
  await held.hold(shard("a", "d2"), bytes(11));
  expect([held.memoryBytes, held.fileBytes]).toEqual([10, 11]);
  expect(readdirSync(spillDirectory)).toEqual([]);
  expect(await contentOf(held, "d2")).toEqual(Buffer.from(bytes(11)));
  held.drop("job", ["a"]);
  expect([held.memoryBytes, held.fileBytes]).toEqual([0, 0]);
});

test("a reader gets a spilled shard to its end although it is dropped meanwhile", async () => {
  await using held = createHeldShards({ memoryBytes: 0, spillDirectory });
  await held.hold(shard("a"), bytes(10));
  const chunks: Uint8Array[] = [];
  for await (const chunk of held.read("job", 3, "d1", 4)!) {
    chunks.push(chunk);
    held.drop("job", ["a"]);
  }
  expect(Buffer.concat(chunks)).toEqual(Buffer.from(bytes(10)));
});

test("a spill directory that cannot be used is named", async () => {
  await using held = createHeldShards({ memoryBytes: 0, spillDirectory: join(spillDirectory, "missing") });
  await expect(held.hold(shard("a"), bytes(10))).rejects.toMatchObject({
    code: "not_found",
    message: expect.stringContaining(`cannot keep a shard of 10 bytes in ${spillDirectory}`),
  });
});
