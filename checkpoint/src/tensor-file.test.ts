import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterEach, beforeEach, expect, test } from "vitest";
import { openCheckpointFile, openTensorFile } from "./checkpoint.ts";
import { readHeader } from "./read-header.ts";
import { openFileSource } from "./source.ts";
import { createTensorFile } from "./tensor-file.ts";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "amalgam-tensor-file-"));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

test("tensors written in any order read back, with the metadata", async () => {
  const shape = fc.array(fc.integer({ min: 0, max: 4 }), { maxLength: 3 });
  const names = fc.uniqueArray(fc.string({ minLength: 1, maxLength: 8, unit: "grapheme-ascii" }), {
    minLength: 1,
    maxLength: 5,
  });
  await fc.assert(
    fc.asyncProperty(names, fc.infiniteStream(shape), fc.infiniteStream(fc.nat(255)), async (all, shapes, filling) => {
      const path = join(folder, "any.safetensors");
      const specs = all.map((name) => ({ name, dtype: "BF16" as const, shape: shapes.next().value }));
      const contents = new Map(
        specs.map(({ name, shape: dims }) => {
          const length = dims.reduce((product: number, size: number) => product * size, 2);
          return [name, Uint8Array.from({ length }, () => filling.next().value)];
        }),
      );
      {
        await using file = await createTensorFile(path, specs, { task: "speech" });
        for (const [name, bytes] of [...contents].reverse()) await file.write(name, bytes);
        await file.commit();
      }
      await using source = await openFileSource(path);
      expect((await readHeader(source)).header.metadata.get("task")).toBe("speech");
      const checkpoint = await openTensorFile(path);
      await using stored = await openCheckpointFile(checkpoint, "any.safetensors");
      for (const [name, { offset, byteLength }] of checkpoint.tensors) {
        const bytes = new Uint8Array(byteLength);
        await stored.readInto(bytes, offset);
        expect(bytes).toEqual(contents.get(name));
      }
    }),
    { numRuns: 25 },
  );
});

test("what is not committed leaves the earlier file as it was, and nothing else", async () => {
  const path = join(folder, "fisher.safetensors");
  await writeFile(path, "earlier");
  {
    await using file = await createTensorFile(path, [{ name: "w", dtype: "F32", shape: [2] }]);
    await expect(file.commit()).rejects.toThrow('tensor "w": was not written');
    await expect(file.write("w", new Uint8Array(4))).rejects.toThrow('tensor "w": has 8 bytes, not 4');
    await expect(file.write("v", new Uint8Array(8))).rejects.toThrow('tensor "v": the file has no such tensor');
  }
  expect(await readdir(folder)).toEqual(["fisher.safetensors"]);
  await using source = await openFileSource(path);
  expect(source.byteLength).toBe("earlier".length);
});
