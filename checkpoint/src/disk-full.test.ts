import { spawnSync } from "node:child_process";
import { mkdir, readdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, type TestContext, test } from "vitest";
import { sha256Bytes } from "./digest.ts";
import { isDiskFull } from "./errors.ts";
import { planOutputFiles } from "./layout.ts";
import { sealAndPublish } from "./publish.ts";
import { createStaging } from "./staging.ts";
import { temporaryDirectory } from "./testing/support.ts";
import { verifyPublished } from "./verify-published.ts";

const mebibyte = 1024 * 1024;

/** Mounts a small file system of its own. Needs root: in CI its lack fails the test, elsewhere it skips it. */
async function smallDisk(context: TestContext, bytes: number): Promise<{ path: string } & AsyncDisposable> {
  const parent = await temporaryDirectory();
  const path = join(parent.path, "disk");
  await mkdir(path);
  const mounted = spawnSync("mount", ["-t", "tmpfs", "-o", `size=${bytes}`, "tmpfs", path], { encoding: "utf8" });
  if (mounted.status !== 0) {
    await parent[Symbol.asyncDispose]();
    const reason = `cannot mount a tmpfs: ${mounted.stderr ?? mounted.error?.message}`;
    if (process.env["CI"] === "true") throw new Error(reason);
    context.skip(reason);
  }
  return {
    path,
    async [Symbol.asyncDispose]() {
      expect(spawnSync("umount", [path]).status).toBe(0);
      await parent[Symbol.asyncDispose]();
    },
  };
}

const layoutOf = (bytes: number) => planOutputFiles([{ name: "w", dtype: "U8", shape: [bytes] }], 100 * mebibyte);

test("an output that cannot fit is refused at the start, with what it needs and what there is", async (context) => {
  await using disk = await smallDisk(context, 4 * mebibyte);
  const error = await createStaging(join(disk.path, "out"), layoutOf(8 * mebibyte), { planDigest: "p" }).catch(
    (caught) => caught,
  );
  expect(error.message).toMatch(/the output needs \d+ bytes, the disk has \d+ \(free some space/);
  expect(isDiskFull(error)).toBe(true);
  expect(await readdir(disk.path)).toEqual([]);
});

test("a disk that fills up on the way gives one clear error, publishes nothing, and the run resumes", async (context) => {
  await using disk = await smallDisk(context, 8 * mebibyte);
  const out = join(disk.path, "out");
  const layout = layoutOf(4 * mebibyte);
  const bytes = new Uint8Array(4 * mebibyte).fill(7);
  {
    await using staging = await createStaging(out, layout, { planDigest: "p" });
    await writeFile(join(disk.path, "other"), new Uint8Array(6 * mebibyte));
    const { file, begin } = staging.locate("w");
    const error = await Promise.try(() => staging.writeRange(file, begin, bytes)).catch((caught) => caught);
    expect(error.message).toMatch(/model\.safetensors: cannot write to it: the disk is full \(free some space/);
    expect(isDiskFull(error)).toBe(true);
  }
  expect((await readdir(disk.path)).toSorted()).toEqual([".out.amalgam-staging", "other"]);
  await rm(join(disk.path, "other"));
  await using staging = await createStaging(out, layout, { planDigest: "p" });
  expect(staging.resumed).toBe(true);
  const { file, begin, end } = staging.locate("w");
  await staging.writeRange(file, begin, bytes);
  const provenance = { recipe: "", seed: 0, versions: {}, inputs: [] };
  const pieces = [{ tensor: "w", begin, end, sha256: sha256Bytes(bytes), isFresh: false }];
  await sealAndPublish(staging, { pieces, sideFiles: [], modelCard: "", provenance });
  await verifyPublished(out);
});

test("a disk that fills up while the side files are written publishes nothing", async (context) => {
  await using disk = await smallDisk(context, 8 * mebibyte);
  const out = join(disk.path, "out");
  await using staging = await createStaging(out, layoutOf(mebibyte), { planDigest: "p" });
  const { file, begin, end } = staging.locate("w");
  const bytes = new Uint8Array(mebibyte);
  await staging.writeRange(file, begin, bytes);
  const sideFiles = [{ name: "tokenizer.json", bytes: new Uint8Array(8 * mebibyte) }];
  const provenance = { recipe: "", seed: 0, versions: {}, inputs: [] };
  const pieces = [{ tensor: "w", begin, end, sha256: sha256Bytes(bytes), isFresh: false }];
  await expect(sealAndPublish(staging, { pieces, sideFiles, modelCard: "", provenance })).rejects.toThrow(
    /tokenizer\.json: cannot write it: the disk is full/,
  );
  expect(await readdir(disk.path)).toEqual([".out.amalgam-staging"]);
});
