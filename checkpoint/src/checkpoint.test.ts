import { spawnSync } from "node:child_process";
import { mkdir, rename, symlink, truncate, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { openCheckpoint, openCheckpointFile, resolveTensor } from "./checkpoint.ts";
import type { TensorSpec } from "./layout.ts";
import { isFileSource } from "./open-source.ts";
import { temporaryDirectory, tensorFile, writeFiles } from "./testing/support.ts";

const spec = (name: string, ...shape: number[]): TensorSpec => ({ name, dtype: "F32", shape });
const one = tensorFile([spec("a", 2), spec("b", 3)]);
const two = tensorFile([spec("c", 4)]);
const map = { a: "m-1.safetensors", b: "m-1.safetensors", c: "m-2.safetensors" };
const index = (weightMap: unknown = map, size: unknown = 36) =>
  JSON.stringify({ metadata: { total_size: size }, weight_map: weightMap });
const sharded = {
  "m-1.safetensors": one,
  "m-2.safetensors": two,
  "model.safetensors.index.json": index(),
  "config.json": '{"model_type":"llama","tie_word_embeddings":false,"limit":Infinity}',
};

async function directory(files: Record<string, string | Uint8Array>) {
  const temporary = await temporaryDirectory();
  await writeFiles(temporary.path, files);
  return temporary;
}

async function refuses(files: Record<string, string | Uint8Array>, rule: RegExp): Promise<void> {
  await using model = await directory(files);
  await expect(openCheckpoint(model.path)).rejects.toThrow(rule);
}

test("a directory with an index gives every tensor its file, absolute offset and size", async () => {
  await using model = await directory({
    ...sharded,
    "tokenizer.json": "{}",
    "evil.py": "1",
    "notes.txt": "x",
    LICENSE: "l",
  });
  const checkpoint = await openCheckpoint(model.path);
  expect(checkpoint.config).toMatchObject({ model_type: "llama", limit: Number.POSITIVE_INFINITY });
  expect(checkpoint.files.map(({ name, byteLength }) => [name, byteLength])).toEqual([
    ["m-1.safetensors", one.length],
    ["m-2.safetensors", two.length],
  ]);
  expect([...checkpoint.tensors.keys()]).toEqual(["a", "b", "c"]);
  expect(checkpoint.tensors.get("b")).toEqual({
    name: "b",
    dtype: "F32",
    shape: [3],
    file: "m-1.safetensors",
    offset: one.length - 12,
    byteLength: 12,
  });
  expect(checkpoint.sideFiles).toEqual(["LICENSE", "config.json", "tokenizer.json"]);
});

test("a checkpoint survives structured cloning, so that worker threads can have it", async () => {
  await using model = await directory(sharded);
  const checkpoint = await openCheckpoint(model.path);
  const { config, ...rest } = checkpoint;
  const { config: clonedConfig, ...cloned } = structuredClone(checkpoint);
  expect(cloned).toEqual(rest);
  expect({ ...clonedConfig }).toEqual({ ...config });
});

test("model.safetensors wins over an index, as in transformers", async () => {
  await using model = await directory({ ...sharded, "model.safetensors": two });
  expect([...(await openCheckpoint(model.path)).tensors.keys()]).toEqual(["c"]);
});

test("a single safetensors file is a checkpoint without config", async () => {
  await using model = await directory({ "weights.safetensors": one });
  const path = join(model.path, "weights.safetensors");
  await symlink(path, join(model.path, "link"));
  for (const root of [path, join(model.path, "link")]) {
    const checkpoint = await openCheckpoint(root);
    expect(checkpoint).toMatchObject({ root, config: undefined, sideFiles: [] });
    await using source = await openCheckpointFile(checkpoint, checkpoint.files[0]!.name);
    expect(source.byteLength).toBe(one.length);
  }
});

test("the identity digest is the same for a copy and differs for other headers", async () => {
  await using model = await directory(sharded);
  await using copy = await directory(sharded);
  await using other = await directory({ ...sharded, "m-2.safetensors": tensorFile([spec("c", 2, 2)]) });
  const [a, b, c] = await Promise.all([model, copy, other].map(({ path }) => openCheckpoint(path)));
  expect(b!.identityDigest).toBe(a!.identityDigest);
  expect(c!.identityDigest).not.toBe(a!.identityDigest);
});

test.each([
  ["a path upwards", "../outside.safetensors", /plain file name: separators could lead out/],
  ["an absolute path", "/etc/passwd.safetensors", /plain file name/],
  ["a Windows path", "..\\outside.safetensors", /plain file name/],
  ["a sub-folder", "sub/m.safetensors", /plain file name/],
  ["the parent itself", "..", /is not a file name/],
  ["an empty name", "", /is not a file name/],
  ["a NUL", "m\0.safetensors", /contains control characters/],
  ["a name of 300 bytes", `${"m".repeat(300)}.safetensors`, /longer than a file name can be/],
  ["a pickle", "pytorch_model.bin", /not a \.safetensors file/],
])("an index that names %s is refused before the file is opened", async (_, name, rule) => {
  await refuses({ ...sharded, "model.safetensors.index.json": index({ ...map, d: name }) }, rule);
});

test.each([
  [
    "a file that does not exist",
    index({ ...map, d: "m-3.safetensors" }),
    /m-3\.safetensors: cannot open it: no such file/,
  ],
  [
    "a tensor its file lacks",
    index({ ...map, d: "m-2.safetensors" }),
    /tensor "d": the index places it in m-2.*does not/,
  ],
  [
    "not all tensors of its files",
    index({ a: map.a, c: map.c }, 24),
    /tensor "b": it is in m-1\.safetensors, but not in/,
  ],
  ["a tensor in the wrong file", index({ ...map, c: "m-1.safetensors" }), /tensor "c": the index places it in m-1/],
  ["a wrong total size", index(map, 35), /total_size is 35, but the tensors have 36 bytes/],
  ["a negative total size", index(map, -1), /total_size must be a whole number/],
  ["a tensor twice", '{"weight_map":{"a":"m-1.safetensors","a":"m-2.safetensors"}}', /the key "a" appears twice/],
  ["no weight map", "{}", /has no weight_map/],
  ["an empty weight map", '{"weight_map":{}}', /names no tensor/],
  ["a file that is a number", '{"weight_map":{"a":1}}', /expected a file name/],
  ["nothing but text", "hello", /expected an object, found "h"/],
  ["surplus text", `${index()} {}`, /after the end of the value/],
  ["metadata that is a list", '{"metadata":[],"weight_map":{"a":"m-1.safetensors"}}', /metadata must be an object/],
])("an index with %s is refused", async (_, text, rule) => {
  await refuses({ ...sharded, "model.safetensors.index.json": text }, rule);
});

test("a tensor that two files have is refused", async () => {
  const twice = tensorFile([spec("a", 1), spec("c", 4)]);
  await refuses(
    { ...sharded, "m-2.safetensors": twice },
    /tensor "a": it is in m-2\.safetensors and in m-1\.safetensors/,
  );
});

test("the problems of all files are reported together", async () => {
  const files = { ...sharded, "m-1.safetensors": one.subarray(0, -1), "m-2.safetensors": "PK\x03\x04zip archive" };
  await refuses(files, /2 problems:\n.*m-1\.safetensors: tensor "b".*truncated.*\n.*m-2\.safetensors.*zip archive/);
});

test.each([
  ["nothing", {}, /has neither model\.safetensors nor model\.safetensors\.index\.json/],
  ["pickled weights", { "pytorch_model.bin": "PK" }, /pickles, which can run code when loaded/],
  ["a LoRA adapter", { "adapter_model.safetensors": one }, /LoRA adapter/],
  ["weights without tensors", { "model.safetensors": tensorFile([]) }, /has no tensors/],
  ["a config that is a list", { "model.safetensors": one, "config.json": "[]" }, /must be an object at the top level/],
  ["a config with a key twice", { "model.safetensors": one, "config.json": '{"a":1,"a":2}' }, /"a" appears twice/],
  [
    "a config of 100,000 levels",
    { "model.safetensors": one, "config.json": '{"a":'.repeat(100_000) },
    /nested deeper than 64/,
  ],
  [
    "a config that is not UTF-8",
    { "model.safetensors": one, "config.json": Buffer.of(0x7b, 0xff, 0x7d) },
    /not valid UTF-8/,
  ],
])("a directory with %s is refused with the reason", async (_, files, rule) => {
  await refuses(files, rule);
});

test("a path that does not exist is refused", async () => {
  await expect(openCheckpoint("no/such/model")).rejects.toThrow(
    "no/such/model: cannot open it: no such file or directory",
  );
});

test("links that leave the directory are refused, links inside it are followed", async () => {
  await using outside = await directory({ "weights.safetensors": one, "tokenizer.json": "{}" });
  await using model = await directory({ "weights.safetensors": one });
  await symlink("weights.safetensors", join(model.path, "model.safetensors"));
  await expect(openCheckpoint(model.path)).resolves.toMatchObject({ files: [{ name: "model.safetensors" }] });
  await symlink(join(outside.path, "tokenizer.json"), join(model.path, "tokenizer.json"));
  await expect(openCheckpoint(model.path)).rejects.toThrow(/tokenizer\.json: is a symbolic link that leaves/);
  await using linked = await directory({});
  await symlink(join(outside.path, "weights.safetensors"), join(linked.path, "model.safetensors"));
  await expect(openCheckpoint(linked.path)).rejects.toThrow(/model\.safetensors: is a symbolic link that leaves/);
});

test("a link to a sibling whose name starts like the directory's does not count as inside", async () => {
  await using parent = await temporaryDirectory();
  for (const name of ["model", "model-evil"]) await mkdir(join(parent.path, name));
  await writeFile(join(parent.path, "model-evil", "w"), one);
  await symlink("../model-evil/w", join(parent.path, "model", "model.safetensors"));
  await expect(openCheckpoint(join(parent.path, "model"))).rejects.toThrow(/leaves the checkpoint's directory/);
});

test("a snapshot of a Hugging Face cache is read through its links into blobs, and no further", async () => {
  await using cache = await temporaryDirectory();
  const snapshot = join(cache.path, "models--o--n", "snapshots", "abc");
  await mkdir(snapshot, { recursive: true });
  await mkdir(join(cache.path, "models--o--n", "blobs"));
  await writeFiles(cache.path, { "models--o--n/blobs/1234": one, secret: one });
  await symlink("../../blobs/1234", join(snapshot, "model.safetensors"));
  const checkpoint = await openCheckpoint(snapshot);
  await using source = await openCheckpointFile(checkpoint, "model.safetensors");
  expect(source.byteLength).toBe(one.length);
  await symlink("../../../secret", join(snapshot, "tokenizer.json"));
  await expect(openCheckpoint(snapshot)).rejects.toThrow(/leaves the checkpoint's directory/);
});

test("a FIFO, a device and a directory in place of weights are refused without hanging", async () => {
  await using model = await directory({});
  const path = join(model.path, "model.safetensors");
  expect(spawnSync("mkfifo", [path]).status).toBe(0);
  await expect(openCheckpoint(model.path)).rejects.toThrow(
    /model\.safetensors: is a FIFO, a regular file was expected/,
  );
  await rename(path, join(model.path, "fifo"));
  await mkdir(path);
  await expect(openCheckpoint(model.path)).rejects.toThrow(/is a directory, a regular file was expected/);
  await expect(openCheckpoint("/dev/zero")).rejects.toThrow(/is a device/);
});

test("a file that changes after it was validated is refused when it is opened", async () => {
  await using model = await directory({ "model.safetensors": one });
  const path = join(model.path, "model.safetensors");
  const checkpoint = await openCheckpoint(model.path);
  await writeFile(join(model.path, "new"), one);
  await rename(join(model.path, "new"), path);
  await expect(openCheckpointFile(checkpoint, "model.safetensors")).rejects.toThrow(/changed after it was checked/);
});

test("a file that changes while it is in use is noticed", async () => {
  await using model = await directory({ "model.safetensors": one });
  const path = join(model.path, "model.safetensors");
  const open = async () => openCheckpointFile(await openCheckpoint(model.path), "model.safetensors");
  {
    await using source = await open();
    await source.verifyUnchanged();
    await utimes(path, 1, 1);
    await expect(source.verifyUnchanged()).rejects.toThrow(/changed after it was checked/);
  }
  {
    await using source = await open();
    await rename(path, join(model.path, "gone"));
    await expect(source.verifyUnchanged()).rejects.toThrow(/cannot find it again: no such file/);
    await rename(join(model.path, "gone"), path);
    await truncate(path, one.length - 4);
    const target = new Uint8Array(one.length);
    const rule = `it ended at byte ${one.length - 4}, but had ${one.length} bytes`;
    await expect(source.readInto(target, 0)).rejects.toThrow(rule);
    expect(isFileSource(source) && (() => source.readIntoSync(target, 0))).toThrow(rule);
  }
});

test("tied embeddings are resolved by config and by what is stored", async () => {
  const embedding = "model.embed_tokens.weight";
  const weights = tensorFile([spec(embedding, 4, 2), spec("model.norm.weight", 2)]);
  for (const [config, tied] of [
    ['{"tie_word_embeddings":true}', true],
    ['{"tie_word_embeddings":false}', false],
    ["{}", true],
    ['{"text_config":{"tie_word_embeddings":false}}', false],
  ] as const) {
    await using model = await directory({ "model.safetensors": weights, "config.json": config });
    const checkpoint = await openCheckpoint(model.path);
    expect(checkpoint.tied).toEqual(tied ? [{ stored: [embedding], absent: ["lm_head.weight"] }] : []);
    expect(resolveTensor(checkpoint, "lm_head.weight")?.name).toBe(tied ? embedding : undefined);
  }
});
