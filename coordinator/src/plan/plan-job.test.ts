import type { TensorSpec } from "@amalgam/checkpoint";
import fc from "fast-check";
import { expect, test } from "vitest";
import { type Plan, planJob, scalarRows } from "./index.ts";
import { syntheticCheckpoint, syntheticJob } from "./testing/synthetic.ts";

const BLOCK = 65_536;

const TIES = `
merge_method: ties
base_model: base
models:
- {model: a, parameters: {weight: 0.5, density: 0.3}}
- {model: b, parameters: {weight: 1, density: [0.2, 0.8]}}
`;

const SPECS: TensorSpec[] = [
  { name: "embed.weight", dtype: "F32", shape: [3, 2 * BLOCK] },
  { name: "layers.0.up.weight", dtype: "F32", shape: [100, 7] },
  { name: "layers.1.up.weight", dtype: "BF16", shape: [64, 64] },
  { name: "position_ids", dtype: "I64", shape: [1, 16] },
];

const plan = (text: string, specs: readonly TensorSpec[], options: Parameters<typeof planJob>[0] | object = {}): Plan =>
  planJob({ ...syntheticJob(text, (path) => syntheticCheckpoint(path, specs)), ...options });

test("tensors come in the order of the base's bytes, floats merged and integers copied", () => {
  const { tensors, slots, totals } = plan(TIES, SPECS);
  expect(slots.map(({ kind, path }) => `${kind} ${path}`)).toEqual(["base base", "model a", "model b"]);
  expect(tensors.map(({ name, action, outputDtype }) => [name, action, outputDtype])).toEqual([
    ["position_ids", "copy", "I64"],
    ["embed.weight", "merge", "F32"],
    ["layers.0.up.weight", "merge", "F32"],
    ["layers.1.up.weight", "merge", "BF16"],
  ]);
  expect(totals).toMatchObject({ tensors: 4, mergedTensors: 3, copiedTensors: 1 });
  expect(totals.inputBytes).toBe(3 * (6 * BLOCK * 4 + 700 * 4 + 4096 * 2) + 16 * 8);
  expect(totals.outputBytes).toBe(6 * BLOCK * 4 + 700 * 4 + 4096 * 2 + 16 * 8);
});

test("a tensor larger than a shard is cut on block boundaries, and its pieces keep their places in all files", () => {
  const { shards, tensors, files } = plan(TIES, SPECS, { shardBytes: 3 * 4 * BLOCK });
  const pieces = shards.flatMap(({ segments }) => segments).filter(({ tensor }) => tensor === "embed.weight");
  expect(pieces.map(({ firstElement, elements }) => [firstElement, elements])).toEqual(
    Array.from({ length: 6 }, (_, index) => [BigInt(index * BLOCK), BigInt(BLOCK)]),
  );
  const embed = tensors.find(({ name }) => name === "embed.weight");
  expect(pieces[2]?.inputs.map(({ file, offset }) => [files[file]?.path, Number(offset)])).toEqual(
    ["base", "a", "b"].map((root, slot) => [
      `${root}/model-1.safetensors`,
      (embed?.sources[slot]?.offset ?? 0) + 2 * BLOCK * 4,
    ]),
  );
  expect(Number(pieces[2]?.outputOffset)).toBe((embed?.outputOffset ?? 0) + 2 * BLOCK * 4);
});

test("each file's header length is where its data begins", () => {
  const job = syntheticJob(TIES, (path) => syntheticCheckpoint(path, SPECS.slice(0, 2), { more: [SPECS.slice(2)] }));
  for (const { headerBytes, path } of planJob(job).files) {
    const checkpoint = job.headers.find((header) => path.startsWith(`${header.checkpoint.root}/`))?.checkpoint;
    const offsets = [...(checkpoint?.tensors.values() ?? [])]
      .filter(({ file }) => path.endsWith(file))
      .map(({ offset }) => offset);
    expect(Number(headerBytes)).toBe(Math.min(...offsets));
  }
});

test("excluded tensors are copied from the base, and a copied segment names its slot", () => {
  const { shards, tensors } = plan(`${TIES}exclude: [embed, 'layers\\.1\\.']\ndtype: float16\n`, SPECS);
  expect(tensors.filter(({ action }) => action === "copy").map(({ name }) => name)).toEqual([
    "position_ids",
    "embed.weight",
    "layers.1.up.weight",
  ]);
  for (const { tensor, copySlot, inputs, outputDtype } of shards.flatMap(({ segments }) => segments)) {
    const isMerged = tensor === "layers.0.up.weight";
    expect(copySlot).toBe(isMerged ? undefined : 0);
    expect(inputs.map(({ dtype }) => dtype !== "")).toEqual([true, isMerged, isMerged]);
    if (isMerged) expect(outputDtype).toBe("F16");
  }
});

test("scalars follow the segments of a shard, resolved for each tensor", () => {
  const planned = plan(TIES, SPECS);
  const [variant] = planned.variants;
  expect(variant?.groups[0]?.graph.parameters).toEqual([
    "density[0]",
    "density[1]",
    "lambda",
    "weight[0]",
    "weight[1]",
  ]);
  const rows = planned.shards.flatMap(({ index, segments }) =>
    scalarRows(
      planned,
      variant as NonNullable<typeof variant>,
    )(index).map(({ values }, position) => [segments[position]?.tensor, values]),
  );
  expect(new Map(rows as [string, number[]][])).toEqual(
    new Map([
      ["position_ids", []],
      ["embed.weight", [0.3, 0.2, 1, 0.5, 1]],
      ["layers.0.up.weight", [0.3, 0.2, 1, 0.5, 1]],
      ["layers.1.up.weight", [0.3, 0.8, 1, 0.5, 1]],
    ]),
  );
});

test("model settings win over the merge's, which win over the default; a list without a match falls through", () => {
  const planned = plan(
    `
merge_method: ties
base_model: base
models:
- {model: a, parameters: {weight: [{filter: embed, value: 7}]}}
- {model: b, parameters: {weight: 2, density: [{filter: nothing, value: 0.1}]}}
parameters: {weight: [{filter: layers.0, value: 5}, {value: 6}]}
`,
    SPECS,
  );
  const [variant] = planned.variants;
  const rows = planned.shards.flatMap(({ index }) =>
    scalarRows(planned, variant as NonNullable<typeof variant>)(index),
  );
  const values = rows.map((row) => row.values).filter((row) => row.length > 0);
  // density[0], density[1], lambda, weight[0], weight[1] of embed, layers.0, layers.1
  expect(values).toEqual([...Array(values.length - 2).fill([1, 1, 1, 7, 2]), [1, 1, 1, 5, 2], [1, 1, 1, 6, 2]]);
});

const dtypes = fc.constantFrom("F32", "BF16", "F16", "I64", "BOOL") as fc.Arbitrary<TensorSpec["dtype"]>;
const shapes = fc.oneof(
  fc.array(fc.integer({ min: 0, max: 300 }), { maxLength: 2 }),
  fc.tuple(fc.integer({ min: 1, max: 9 }), fc.integer({ min: BLOCK / 2, max: 2 * BLOCK })),
);
const specLists = fc
  .array(fc.record({ dtype: dtypes, shape: shapes }), { minLength: 1, maxLength: 12 })
  .map((list): TensorSpec[] => list.map((spec, index) => ({ ...spec, name: `layers.${index % 3}.t${index}` })));

const segmentsOf = ({ shards }: Plan) => shards.flatMap(({ segments }) => segments);

test("whatever the shard size, segments cover every element once, in order, on block boundaries", () => {
  fc.assert(
    fc.property(specLists, fc.integer({ min: 1, max: 8_000_000 }), (specs, shardBytes) => {
      const planned = plan(TIES, specs, { shardBytes });
      const next = new Map<string, bigint>();
      for (const { tensor, firstElement, elements } of segmentsOf(planned)) {
        expect(firstElement).toBe(next.get(tensor) ?? 0n);
        expect(Number(firstElement) % BLOCK).toBe(0);
        expect(elements).toBeGreaterThan(0n);
        next.set(tensor, firstElement + elements);
      }
      for (const { name, elements } of planned.tensors) expect(Number(next.get(name) ?? 0n)).toBe(elements);
      planned.shards.forEach(({ index, segments }, position) => {
        expect(index).toBe(position);
        const { inputBytes } = planned.shardSizes[position] ?? { inputBytes: Number.NaN };
        const single = segments.length === 1 && Number(segments[0]?.elements) <= BLOCK;
        expect(inputBytes <= shardBytes || single).toBe(true);
      });
    }),
    { numRuns: 60 },
  );
});

test("output places are disjoint, fill the files, and do not depend on the shard size", () => {
  fc.assert(
    fc.property(specLists, fc.integer({ min: 1, max: 8_000_000 }), (specs, shardBytes) => {
      const maxOutputFileBytes = 1_000_000;
      const planned = plan(TIES, specs, { shardBytes, maxOutputFileBytes });
      const whole = plan(TIES, specs, { shardBytes: Number.MAX_SAFE_INTEGER, maxOutputFileBytes });
      expect(planned.tensors.map(({ outputFile, outputOffset }) => [outputFile, outputOffset])).toEqual(
        whole.tensors.map(({ outputFile, outputOffset }) => [outputFile, outputOffset]),
      );
      expect(planned.output).toEqual(whole.output);
      const bytes = { F32: 4, BF16: 2, F16: 2, I64: 8, BOOL: 1 } as Record<string, number>;
      const ends = planned.output.files.map(({ header }) => header.length);
      const byPlace = segmentsOf(planned).toSorted((a, b) => Number(a.outputOffset - b.outputOffset));
      for (const { outputFile, outputOffset, elements, outputDtype } of byPlace) {
        expect(Number(outputOffset)).toBe(ends[outputFile]);
        ends[outputFile] = Number(outputOffset) + Number(elements) * (bytes[outputDtype] ?? 0);
      }
      expect(ends).toEqual(planned.output.files.map(({ fileBytes }) => fileBytes));
    }),
    { numRuns: 60 },
  );
});

test("the digest tells plans apart by recipe, inputs and cuts, and is the same for the same ones", () => {
  const digest = (text: string, specs: readonly TensorSpec[], shardBytes = 1e9) =>
    plan(text, specs, { shardBytes }).digest;
  const same = digest(TIES, SPECS);
  expect(digest(TIES, SPECS)).toBe(same);
  const others = [digest(TIES.replace("0.5", "0.6"), SPECS), digest(TIES, SPECS.slice(1)), digest(TIES, SPECS, 1e6)];
  expect(new Set([same, ...others]).size).toBe(4);
});

test("fifty thousand tensors are planned, every one in one segment", () => {
  const specs = Array.from({ length: 50_000 }, (_, index): TensorSpec => {
    return { name: `layers.${index % 61}.experts.${index}.weight`, dtype: "BF16", shape: [128, 64] };
  });
  const checkpoint = syntheticCheckpoint("base", specs);
  const planned = planJob(syntheticJob(TIES, (root) => ({ ...checkpoint, root })));
  expect(planned.totals.segments).toBe(50_000);
  expect(planned.shards.length).toBeGreaterThanOrEqual(8);
  const [variant] = planned.variants;
  const rows = planned.shards.flatMap(({ index }) =>
    scalarRows(planned, variant as NonNullable<typeof variant>)(index),
  );
  expect(rows).toHaveLength(50_000);
});
