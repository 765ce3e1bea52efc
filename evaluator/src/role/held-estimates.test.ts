import { createHash } from "node:crypto";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ShardLayoutSchema, ShardService } from "@amalgam/proto";
import { createLocalClient } from "@amalgam/runtime";
import { create } from "@bufbuild/protobuf";
import fc from "fast-check";
import { afterEach, beforeEach, expect, test } from "vitest";
import { estimateShards } from "./estimate-shards.ts";
import { createHeldEstimates, type EstimateShard, type HeldEstimates } from "./held-estimates.ts";

let spillDirectory: string;
beforeEach(() => {
  spillDirectory = mkdtempSync(join(tmpdir(), "amalgam-estimates-"));
});
afterEach(() => rmSync(spillDirectory, { recursive: true }));

const open = (memoryBytes: number): HeldEstimates => createHeldEstimates("local:e", { memoryBytes, spillDirectory });
const name = (estimateId: string, jobId = "job") => ({ jobId, estimateId, key: "k" });
const about = { items: 3, seconds: 1 };
const shard = (fill: number, index = 0): EstimateShard => ({ shard: index, bytes: new Uint8Array(40).fill(fill) });

async function fetch({ service }: HeldEstimates, jobId: string, { shard: index, bytes }: EstimateShard) {
  const sha256 = createHash("sha256").update(bytes).digest("hex");
  const chunks: Uint8Array[] = [];
  for await (const { data } of createLocalClient(ShardService, service).fetchShard({ jobId, shard: index, sha256 }))
    chunks.push(data);
  return Buffer.concat(chunks);
}

test("an estimate is served by digest, and answered for without being made again", async () => {
  await using held = open(1000);
  const made = await held.hold(name("i0.a"), about, [shard(1), shard(2, 1)], []);
  expect(made.shards.map(({ address, byteLength }) => [address, byteLength])).toEqual([
    ["local:e", 40n],
    ["local:e", 40n],
  ]);
  expect(held.get(name("i0.a"))).toMatchObject({ items: 3, seconds: 1, shards: made.shards });
  expect(held.get({ ...name("i0.a"), key: "of other weights" })).toBeUndefined();
  expect(await fetch(held, "job", shard(2, 1))).toEqual(Buffer.from(shard(2, 1).bytes));
  await expect(fetch(held, "job", shard(3))).rejects.toMatchObject({ code: "not_found" });
});

test("beyond the budget the one unused for longest gives way, and what is needed stays, on the disk where it must", async () => {
  await using held = open(100);
  await held.hold(name("old"), about, [shard(1)], []);
  await held.hold(name("needed"), about, [shard(2)], ["needed"]);
  held.get(name("old"));
  await held.hold(name("new"), about, [shard(3)], ["needed", "new"]);
  expect([held.get(name("old")), held.get(name("needed"))?.items]).toEqual([undefined, 3]);
  await held.hold(name("more"), about, [shard(4)], ["needed", "new", "more"]);
  expect(["needed", "new", "more"].map((id) => held.get(name(id))?.items)).toEqual([3, 3, 3]);
  expect(held.memoryBytes).toBeLessThanOrEqual(100);
  expect(held.memoryBytes + held.fileBytes).toBe(120);
  // Nothing is left behind by a crash.
  expect(readdirSync(spillDirectory)).toEqual([]);
  await held.hold(name("last"), about, [shard(5)], ["last"]);
  expect(held.get(name("needed"))).toBeUndefined();
});

test("an estimate that cannot be kept is not there at all", async () => {
  await using held = createHeldEstimates("local:e", { memoryBytes: 0, spillDirectory: join(spillDirectory, "gone") });
  await expect(held.hold(name("i0.a"), about, [shard(1)], [])).rejects.toMatchObject({ code: "not_found" });
  expect([held.get(name("i0.a")), held.memoryBytes, held.fileBytes]).toEqual([undefined, 0, 0]);
});

const cuts = fc.array(
  fc.record({
    wanted: fc.boolean(),
    read: fc.boolean(),
    elements: fc.integer({ min: 1, max: 30 }),
    pieces: fc.integer({ min: 1, max: 4 }),
  }),
  { minLength: 1, maxLength: 6 },
);

test("however a model is cut, an estimate's shards are its values, tensor by tensor, and zeros where the model reads none", () => {
  fc.assert(
    fc.property(cuts, fc.integer({ min: 1, max: 3 }), (tensors, perShard) => {
      const values = new Map(
        tensors.flatMap(({ read, elements }, t) =>
          read ? [[`t${t}`, Float32Array.from({ length: elements }, (_, i) => 100 * t + i + 1)] as const] : [],
        ),
      );
      const segments = tensors.flatMap(({ elements, pieces }, t) =>
        Array.from({ length: pieces }, (_, piece) => {
          const [first, end] = [piece, piece + 1].map((at) => Math.floor((at * elements) / pieces)) as [number, number];
          return { tensor: `t${t}`, firstElement: BigInt(first), elements: BigInt(end - first) };
        }),
      );
      const layouts = Array.from({ length: Math.ceil(segments.length / perShard) }, (_, index) =>
        create(ShardLayoutSchema, { shard: index, segments: segments.slice(index * perShard, (index + 1) * perShard) }),
      );
      const wanted = new Set(tensors.flatMap((tensor, t) => (tensor.wanted ? [`t${t}`] : [])));
      const shards = [...estimateShards(layouts, wanted, values)];
      const found = new Float32Array(Uint8Array.from(Buffer.concat(shards.map(({ bytes }) => bytes))).buffer);
      const expected = tensors.flatMap(({ elements }, t) =>
        wanted.has(`t${t}`) ? [...(values.get(`t${t}`) ?? new Float32Array(elements))] : [],
      );
      expect([...found]).toEqual(expected);
    }),
  );
});
