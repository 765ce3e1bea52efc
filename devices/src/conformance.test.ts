// Every method, dtype and number of models on every device of this machine: the interpreter's bits, as the WebAssembly kernels
// have them (kernels/src/conformance.test.ts), or the device says that it is not to be trusted. Shaders take long to compile
// on a software driver, so numbers of models and options vary in one dtype.
import {
  decodeElements,
  deviceObstacle,
  encodeElements,
  FLOAT_DTYPES,
  METHODS,
  type MergeMethod,
  type Program,
} from "@amalgam/kernels";
import { interpreted, merged, optionSets, programFor, randomModel } from "@amalgam/kernels/testing";
import { afterAll, describe, expect, test } from "vitest";
import type { Device } from "./device.ts";
import { testDevices } from "./testing/devices.ts";

const SIZES = [130, 64, 6, 1];
/** In smaller tensors a method may divide zero by zero, or have infinite statistics, on the way to a sound result. */
const ORDINARY = 64;

afterAll(async () => {
  for (const { device } of testDevices) await device?.[Symbol.asyncDispose]();
});

async function expectSameBits(device: Device, program: Program, seed: number, certain = ORDINARY): Promise<void> {
  const model = randomModel(program, SIZES, seed);
  const expected = interpreted(program, model, "float32").map((x) => encodeElements(x, program.spec.outputDtype));
  const exact = interpreted(program, model, "float64");
  const kernels = merged(program, model);
  for (const [t, { inputs, elements }] of model.entries()) {
    const output = new Uint8Array(expected[t]!.length);
    const window = { inputs, output, first: 0, elements, owner: undefined };
    const trusted = await device.merge(program, window, kernels[t]!.scalars);
    if (elements >= certain) expect(trusted, `tensor ${t}`).toBe(true);
    if (!trusted) continue;
    expect(output, `${JSON.stringify(program.spec)}, tensor ${t}`).toEqual(expected[t]);
    if (program.spec.outputDtype !== "F32" || program.spec.inputDtypes.some((dtype) => dtype !== "F32")) continue;
    decodeElements(output, "F32").forEach((x, i) => {
      expect(Math.abs(x - exact[t]![i]!), `element ${i} of tensor ${t}`).toBeLessThan(1e-6);
    });
  }
}

const onDevices = (method: MergeMethod): boolean => {
  const models = Math.min(3, method.maxModels ?? 3);
  return deviceObstacle(programFor(method, Math.max(models, method.minModels), "F32")) === undefined;
};
const elementwise = Object.values(METHODS).filter(onDevices);

test("devices merge all methods but those that need rows", () => {
  const others = Object.keys(METHODS).filter((name) => !elementwise.some((method) => method.name === name));
  expect(others).toEqual(["della", "della_linear", "arcee_fusion"]);
});

describe.each(testDevices)("$title", ({ device }) => {
  describe.skipIf(device === undefined).each(elementwise)("$name", (method) => {
    // A software driver compiles the shader of three scored models for half a second.
    const long = method.name === "pcb";
    const usual = Math.max(method.minModels, Math.min(long ? 1 : 2, method.maxModels ?? 2));

    test.each(FLOAT_DTYPES)("has the interpreter's bits in %s", async (dtype) => {
      await expectSameBits(device!, programFor(method, usual, dtype), 1);
    });

    test("has them for any number of models", async () => {
      for (const models of long ? [2] : [1, 3, 6]) {
        if (models < method.minModels || models > (method.maxModels ?? models) || models === usual) continue;
        await expectSameBits(device!, programFor(method, models, "F32"), models);
      }
    });

    test("has them with every option", async () => {
      for (const [seed, options] of optionSets(method).entries()) {
        const program = programFor(method, Math.max(method.minModels, Math.min(2, usual)), "BF16", options);
        if (deviceObstacle(program) === undefined) await expectSameBits(device!, program, seed);
      }
    });

    test.each(["BF16", "F16"] as const)("has them in mergekit's arithmetic in %s", async (working) => {
      const program = programFor(method, usual, working, {}, working, { working });
      // There small numbers vanish, and what is divided by them is not finite.
      if (deviceObstacle(program) === undefined) await expectSameBits(device!, program, 3, Infinity);
    });

    test("has them when every input has another dtype", async () => {
      const inputs = programFor(method, usual, "F32").graph.inputs.length;
      const mixed = Array.from({ length: inputs }, (_, i) => FLOAT_DTYPES[i % FLOAT_DTYPES.length]!);
      await expectSameBits(device!, programFor(method, usual, mixed, {}, "F16"), 7);
    });
  });
});
