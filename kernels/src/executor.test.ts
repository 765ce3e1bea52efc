// What hosts rely on: where a segment begins, ends or is cut changes no byte, nothing outside is
// touched, and what is not finite is reported.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { encodeElements, findNonFinite } from "./convert.ts";
import { type DTypeName, dtypeBytes, FLOAT_DTYPES } from "./dtype.ts";
import { createExecutor } from "./executor.ts";
import { METHODS } from "./methods/index.ts";
import { buildProgram } from "./program.ts";
import { runStage } from "./statistics/stage.ts";
import { merged, programFor, randomModel } from "./testing/models.ts";
import { FLAG_INPUT_NOT_FINITE, FLAG_OUTPUT_NOT_FINITE, type Program } from "./types.ts";
import { createMemory } from "./wasm/host.ts";

const ties = METHODS["ties"]!;
const taskArithmetic = METHODS["task_arithmetic"]!;

/** Merges one tensor in runs of the given lengths, each copied to its own unaligned place among guard bytes. */
function inRuns(
  program: Program,
  tensor: ReturnType<typeof randomModel>[number],
  scalars: Record<string, number>,
  lengths: number[],
) {
  const memory = createMemory(1 << 20);
  const bytes = new Uint8Array(memory.buffer);
  const executor = createExecutor(program, memory, 16);
  const size = dtypeBytes(program.spec.outputDtype);
  const out = new Uint8Array(tensor.elements * size);
  let first = 0;
  for (const length of [...lengths, tensor.elements]) {
    const elements = Math.min(length, tensor.elements - first);
    bytes.fill(0xa5, 16 + program.scratchBytes);
    let at = 16 + program.scratchBytes + 3;
    const take = (count: number): number => {
      const from = at;
      at += count + 5;
      return from;
    };
    const inputs = tensor.inputs.map((input, i) => {
      const width = dtypeBytes(program.spec.inputDtypes[i]!);
      const from = take(elements * width);
      bytes.set(input.subarray(first * width, (first + elements) * width), from);
      return from;
    });
    const output = take(elements * size);
    const before = bytes.slice();
    executor.output({ inputs, output, firstElement: first, elements }, scalars);
    out.set(bytes.subarray(output, output + elements * size), first * size);
    const outside = (b: Uint8Array): Uint8Array[] => [
      b.slice(0, 16),
      b.slice(16 + program.scratchBytes, output),
      b.slice(output + elements * size),
    ];
    expect(outside(bytes).every((part, i) => Buffer.from(part).equals(outside(before)[i]!))).toBe(true);
    first += elements;
  }
  return out;
}

test.each(FLOAT_DTYPES)(
  "a tensor of %s merges to the same bytes however it is cut, and nothing else is written",
  (dtype) => {
    const program = programFor(ties, 2, dtype);
    const [tensor] = randomModel(program, [403], 5);
    const [whole] = merged(program, [tensor!]);
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 200 }), { maxLength: 5 }), (lengths) => {
        expect(Buffer.from(inRuns(program, tensor!, whole!.scalars, lengths)).equals(whole!.bytes)).toBe(true);
      }),
      { numRuns: 20 },
    );
  },
);

test("a run may be written over one of its inputs", () => {
  const program = programFor(taskArithmetic, 2, "BF16");
  const [tensor] = randomModel(program, [1003], 5);
  const memory = createMemory(1 << 16);
  const inputs = tensor!.inputs.map((input, i) => {
    const at = 4096 + i * 4096;
    new Uint8Array(memory.buffer).set(input, at);
    return at;
  });
  const executor = createExecutor(program, memory, 0);
  executor.output({ inputs, output: inputs[1]!, firstElement: 0, elements: 1003 }, tensor!.scalars);
  const found = new Uint8Array(memory.buffer, inputs[1]!, 2006);
  expect(Buffer.from(found).equals(merged(program, [tensor!])[0]!.bytes)).toBe(true);
});

test("an executor follows a memory that has grown", () => {
  const program = programFor(taskArithmetic, 1, "F32");
  const memory = createMemory(1 << 16);
  const executor = createExecutor(program, memory, 0);
  memory.grow(1);
  const at = 1 << 16;
  new Float32Array(memory.buffer, at, 2).set([1, 3]);
  executor.output(
    { inputs: [at, at + 4], output: at + 8, firstElement: 0, elements: 1 },
    { "weight[0]": 0.5, lambda: 1 },
  );
  expect(new Float32Array(memory.buffer, at + 8, 1)[0]).toBe(2);
});

test("addresses beyond 2 GiB are as good as others", () => {
  const program = programFor(ties, 1, "F32");
  const at = 2 ** 31 + 64;
  const memory = createMemory(at + 65_536 + program.scratchBytes);
  const scratch = at + 65_536 - (at % 16);
  new Float32Array(memory.buffer, at, 10).set([0, 0, 0, 0, 0, 1, 2, 3, 4, 5]);
  const executor = createExecutor(program, memory, scratch);
  const segment = { inputs: [at, at + 20], output: at + 40, firstElement: 0, elements: 5 };
  const scalars = { "weight[0]": 1, "density[0]": 0.4, lambda: 1 };
  const found = runStage(program.graph, 0, scalars, 5, (state) => executor.statistic(0, state, segment, scalars));
  expect(executor.output(segment, { ...scalars, ...found })).toBe(0);
  expect([...new Float32Array(memory.buffer, at + 40, 5)]).toEqual([0, 0, 0, 4, 5]);
});

describe("flags", () => {
  const flagsOf = (values: readonly number[], scalars: Record<string, number>, output: DTypeName = "F32"): number => {
    const program = programFor(METHODS["linear"]!, 1, ["F32"], { normalize: false }, output);
    return merged(program, [{ inputs: [encodeElements(values, "F32")], elements: values.length, scalars }])[0]!.flags;
  };
  const one = { "weight[0]": 1 };
  const zeros = new Array<number>(9).fill(0);

  test("are clear for finite values, subnormal and largest ones too", () => {
    expect(flagsOf([0, -0, 1e-45, -3.4028234663852886e38], one)).toBe(0);
  });
  test.each([Infinity, -Infinity, Number.NaN])("report %s in any place, padding or not", (bad) => {
    for (const place of zeros.keys()) expect(flagsOf(zeros.with(place, bad), one)).toBe(3);
  });
  test("report a bad input that the result does not show", () => {
    const program = programFor(ties, 2, "F32");
    const inputs = [[0], [Number.NaN], [1]].map((x) => encodeElements(x, "F32"));
    const scalars = { "weight[0]": 1, "weight[1]": 1, "density[0]": 1, "density[1]": 1, lambda: 1 };
    expect(merged(program, [{ inputs, elements: 1, scalars }])[0]!.flags & FLAG_INPUT_NOT_FINITE).toBe(
      FLAG_INPUT_NOT_FINITE,
    );
  });
  test("report an overflow of the output's dtype", () => {
    expect(flagsOf([1e6], one)).toBe(0);
    expect(flagsOf([1e6], one, "F16")).toBe(FLAG_OUTPUT_NOT_FINITE);
    expect(flagsOf([3e38], { "weight[0]": 2 })).toBe(FLAG_OUTPUT_NOT_FINITE);
  });
  test("can be followed up to the element", () => {
    expect(findNonFinite(encodeElements([1, 2, -Infinity, 3], "BF16"), "BF16")).toBe(2);
    expect(findNonFinite(encodeElements([1, 2], "F8_E4M3"), "F8_E4M3")).toBe(-1);
  });
});

test("a call without a parameter's value says which is missing", () => {
  const program = programFor(taskArithmetic, 1, "F32");
  const inputs = [encodeElements([1], "F32"), encodeElements([2], "F32")];
  expect(() => merged(program, [{ inputs, elements: 1, scalars: { lambda: 1 } }])).toThrow(
    "scalar weight[0] is missing",
  );
});

test("equal specs give the same program", () => {
  const spec = { method: "ties", models: 1, hasBase: true, inputDtypes: ["F32", "F32"], outputDtype: "F32" } as const;
  const a = buildProgram({ ...spec, options: { normalize: true, rescale: false } });
  expect(buildProgram({ ...spec, options: { rescale: false, normalize: true } })).toBe(a);
  expect(buildProgram({ ...spec, options: { normalize: false } })).not.toBe(a);
});
