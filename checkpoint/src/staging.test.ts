import { mkdir, readdir, readFile, rm, symlink, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { openCheckpoint } from "./checkpoint.ts";
import { sha256Bytes } from "./digest.ts";
import { planOutputFiles, type TensorSpec } from "./layout.ts";
import { type PublishOptions, sealAndPublish } from "./publish.ts";
import { openRangeWriter } from "./range-writer.ts";
import type { MergedPiece } from "./staged-digests.ts";
import { createStaging, type Staging } from "./staging.ts";
import { temporaryDirectory, writeFiles } from "./testing/support.ts";
import { verifyPublished } from "./verify-published.ts";

const specs: readonly TensorSpec[] = [
  { name: "a", dtype: "F32", shape: [5] },
  { name: "b", dtype: "BF16", shape: [3, 3] },
  { name: "none", dtype: "F32", shape: [0] },
];
const layout = planOutputFiles(specs, 20);
const planDigest = "p";

/** Writes every tensor, out of order and in pieces, and returns the digests. */
async function fill(staging: Staging, isFresh = false): Promise<MergedPiece[]> {
  const pieces: MergedPiece[] = [];
  for (const { name } of specs.toReversed()) {
    const { file, begin, end } = staging.locate(name);
    const bytes = new Uint8Array(end - begin).map((_, i) => i + name.length);
    await staging.writeRange(file, begin + 1, bytes.subarray(1));
    await staging.writeRange(file, begin, bytes.subarray(0, 1));
    pieces.push({ tensor: name, begin, end, sha256: sha256Bytes(bytes), isFresh });
  }
  return pieces;
}

function publication(pieces: readonly MergedPiece[]): PublishOptions {
  const provenance = { recipe: "r", seed: 1, versions: {}, inputs: [] };
  return { pieces, sideFiles: [{ name: "config.json", bytes: "{}" }], modelCard: "# m\n", provenance };
}

test("a published directory opens as a checkpoint, has a true manifest and no trace of staging", async () => {
  await using parent = await temporaryDirectory();
  const out = join(parent.path, "deep", "out");
  await using staging = await createStaging(out, layout, { planDigest });
  const steps: string[] = [];
  const options = { ...publication(await fill(staging)), onStep: (step: string) => void steps.push(step) };
  const manifest = await sealAndPublish(staging, options);
  expect(steps).toEqual(["verified", "sealed", "renamed", "published"]);
  expect(await readdir(join(parent.path, "deep"))).toEqual(["out"]);
  expect((await readdir(out)).toSorted()).toEqual([
    "README.md",
    "amalgam.json",
    "config.json",
    "model-00001-of-00002.safetensors",
    "model-00002-of-00002.safetensors",
    "model.safetensors.index.json",
  ]);
  expect(await verifyPublished(out)).toEqual(manifest);
  const { tensors } = await openCheckpoint(out);
  expect([...tensors.values()].map(({ name, shape }) => [name, shape])).toEqual([
    ["a", [5]],
    ["none", [0]],
    ["b", [3, 3]],
  ]);
});

test("a changed, missing or added file is found by verifying the published directory", async () => {
  await using parent = await temporaryDirectory();
  const out = join(parent.path, "out");
  await using staging = await createStaging(out, layout, { planDigest });
  await sealAndPublish(staging, publication(await fill(staging)));
  await writeFile(join(out, "config.json"), "[]");
  await truncate(join(out, "model-00001-of-00002.safetensors"), 3);
  await rm(join(out, "README.md"));
  await writeFile(join(out, "extra"), "");
  const message = await verifyPublished(out).catch((error: Error) => error.message);
  expect(message).toMatch(/4 problems/);
  expect(message).toMatch(/config\.json: its sha256 is not the manifest's/);
  expect(message).toMatch(/00001-of-00002\.safetensors: has 3 bytes/);
  expect(message).toMatch(/README\.md: is in the manifest but not in the directory/);
  expect(message).toMatch(/extra: is in the directory but not in the manifest/);
});

test("bytes that changed in staging are caught before anything is published, by tensor", async () => {
  await using parent = await temporaryDirectory();
  const out = join(parent.path, "out");
  await using staging = await createStaging(out, layout, { planDigest });
  const digests = await fill(staging);
  const { file, begin } = staging.locate("b");
  await staging.writeRange(file, begin + 4, Uint8Array.of(0xff));
  await expect(sealAndPublish(staging, publication(digests))).rejects.toThrow(
    /00002\.safetensors: tensor "b": its bytes on disk are not the bytes that were computed/,
  );
  const others = digests.filter(({ tensor }) => tensor !== "b");
  await expect(sealAndPublish(staging, publication(others))).rejects.toThrow(/tensor "b": no digest was given/);
  expect(await readdir(parent.path)).toEqual([".out.amalgam-staging"]);
});

test("of a tensor in pieces, those of an earlier run are read back, and one that is missing is told", async () => {
  await using parent = await temporaryDirectory();
  await using staging = await createStaging(join(parent.path, "out"), layout, { planDigest });
  const pieces = await fill(staging);
  const whole = pieces.find(({ tensor }) => tensor === "b")!;
  const bytes = new Uint8Array(whole.end - whole.begin).map((_, i) => i + 1);
  const cut = whole.begin + 6;
  const first = { ...whole, end: cut, sha256: sha256Bytes(bytes.subarray(0, 6)), isFresh: true };
  const second = { ...whole, begin: cut, sha256: sha256Bytes(bytes.subarray(6)) };
  const others = pieces.filter(({ tensor }) => tensor !== "b");
  await expect(sealAndPublish(staging, publication([...others, second]))).rejects.toThrow(/"b": no digest was given/);
  const wrong = { ...second, sha256: whole.sha256 };
  await expect(sealAndPublish(staging, publication([...others, wrong, first]))).rejects.toThrow(
    /"b": its bytes on disk/,
  );
  const manifest = await sealAndPublish(staging, publication([...others, second, first]));
  expect(manifest.tensors.get("b")!.sha256).toBe(whole.sha256);
});

test("a header overwritten in staging is caught before anything is published", async () => {
  await using parent = await temporaryDirectory();
  await using staging = await createStaging(join(parent.path, "out"), layout, { planDigest });
  const digests = await fill(staging);
  await using writer = await openRangeWriter(staging.path("model-00001-of-00002.safetensors"));
  await writer.write(Uint8Array.of(0), 0);
  await expect(sealAndPublish(staging, publication(digests))).rejects.toThrow(/no longer has the size and header/);
});

test("a second process is refused while the first one stages, and may go on after it", async () => {
  await using parent = await temporaryDirectory();
  const out = join(parent.path, "out");
  const first = await createStaging(out, layout, { planDigest });
  await expect(createStaging(out, layout, { planDigest })).rejects.toThrow(/another process is writing this output/);
  await fill(first);
  await first[Symbol.asyncDispose]();
  await using second = await createStaging(out, layout, { planDigest });
  expect(second.resumed).toBe(true);
});

test("staged files that were cut or lost are made anew", async () => {
  await using parent = await temporaryDirectory();
  const out = join(parent.path, "out");
  await (await createStaging(out, layout, { planDigest }))[Symbol.asyncDispose]();
  await truncate(join(parent.path, ".out.amalgam-staging", "model", "model-00001-of-00002.safetensors"), 10);
  await using staging = await createStaging(out, layout, { planDigest });
  expect(staging.resumed).toBe(false);
});

test("distrusted bytes are not taken up by the next run", async () => {
  await using parent = await temporaryDirectory();
  const out = join(parent.path, "out");
  const first = await createStaging(out, layout, { planDigest });
  await fill(first);
  first.distrust();
  await first[Symbol.asyncDispose]();
  await using second = await createStaging(out, layout, { planDigest });
  expect(second.resumed).toBe(false);
});

test("writes outside a tensor's part of the file are refused", async () => {
  await using parent = await temporaryDirectory();
  await using staging = await createStaging(join(parent.path, "out"), layout, { planDigest });
  const [file] = layout.files;
  const bytes = new Uint8Array(8);
  await expect(staging.writeRange(file!.name, 0, bytes)).rejects.toThrow(/lies in the header/);
  await expect(staging.writeRange(file!.name, file!.fileBytes - 4, bytes)).rejects.toThrow(/are outside the file/);
  await expect(staging.writeRange("other.safetensors", 0, bytes)).rejects.toThrow(/has no file other/);
  expect(() => staging.locate("other")).toThrow(/has no such tensor/);
});

test.each([
  ["a file", async (out: string) => writeFile(out, "x"), false, /exists and is not a directory/],
  [
    "a directory of someone else",
    (out: string) => mine(out, { "thesis.tex": "x" }),
    true,
    /is not an output of amalgam/,
  ],
  ["an earlier output", (out: string) => model(out), false, /already holds a merged model/],
  ["an earlier output with another file", (out: string) => model(out, { notes: "x" }), true, /did not write \(notes\)/],
  ["a broken manifest", (out: string) => mine(out, { "amalgam.json": "{}" }), true, /schemaVersion must be 1/],
])("%s at the output path is refused and left as it is", async (_, prepare, overwrite, rule) => {
  await using parent = await temporaryDirectory();
  const out = join(parent.path, "out");
  await prepare(out);
  await expect(createStaging(out, layout, { planDigest, overwrite })).rejects.toThrow(rule);
  expect(await readdir(parent.path)).toEqual(["out"]);
});

test("an empty directory is filled, and an earlier output is replaced when that is asked for", async () => {
  await using parent = await temporaryDirectory();
  const out = join(parent.path, "out");
  await mkdir(out);
  await model(out);
  await using staging = await createStaging(out, layout, { planDigest: "second", overwrite: true });
  expect((await verifyPublished(out)).planDigest).toBe(planDigest);
  await sealAndPublish(staging, publication(await fill(staging)));
  expect((await verifyPublished(out)).planDigest).toBe("second");
  expect(await readdir(parent.path)).toEqual(["out"]);
});

test("an output path that is a link publishes into the directory it names", async () => {
  await using parent = await temporaryDirectory();
  await mkdir(join(parent.path, "disk"));
  await symlink("disk", join(parent.path, "out"));
  await model(join(parent.path, "out"));
  await verifyPublished(join(parent.path, "disk"));
});

test.each([
  ["a path", "../config.json", /must be a plain file name/],
  ["a weight file", "model-00001-of-00002.safetensors", /is written by amalgam itself/],
  ["the manifest", "amalgam.json", /is written by amalgam itself/],
])("a side file named like %s is refused", async (_, name, rule) => {
  await using parent = await temporaryDirectory();
  await using staging = await createStaging(join(parent.path, "out"), layout, { planDigest });
  const options = { ...publication(await fill(staging)), sideFiles: [{ name, bytes: "" }] };
  await expect(sealAndPublish(staging, options)).rejects.toThrow(rule);
});

test("an aborted job leaves its staged bytes for the next run and publishes nothing", async () => {
  await using parent = await temporaryDirectory();
  const out = join(parent.path, "out");
  const abort = new AbortController();
  {
    await using staging = await createStaging(out, layout, { planDigest, signal: abort.signal });
    const options = {
      ...publication(await fill(staging)),
      signal: abort.signal,
      onStep: () => abort.abort(new Error("stop")),
    };
    await expect(sealAndPublish(staging, options)).rejects.toThrow("stop");
  }
  expect(await readdir(parent.path)).toEqual([".out.amalgam-staging"]);
  await using staging = await createStaging(out, layout, { planDigest });
  expect(staging.resumed).toBe(true);
  await staging.discard();
  expect(await readdir(parent.path)).toEqual([]);
});

test("the bytes of an output depend on its plan alone", async () => {
  await using parent = await temporaryDirectory();
  const [one, two] = [join(parent.path, "one"), join(parent.path, "two")];
  await model(one);
  await model(two);
  for (const name of await readdir(one)) {
    expect(await readFile(join(two, name))).toEqual(await readFile(join(one, name)));
  }
});

async function mine(out: string, files: Record<string, string>): Promise<void> {
  await mkdir(out);
  await writeFiles(out, files);
}

async function model(out: string, more: Record<string, string> = {}): Promise<void> {
  await using staging = await createStaging(out, layout, { planDigest });
  await sealAndPublish(staging, publication(await fill(staging)));
  await writeFiles(out, more);
}
