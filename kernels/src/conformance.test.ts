// Every method, dtype and number of models: kernels agree with the interpreter to the bit when it
// rounds as they do, and stay close to the unrounded mathematics.
import { describe, expect, test } from "vitest";
import { decodeElements, encodeElements } from "./convert.ts";
import { type DTypeName, FLOAT_DTYPES } from "./dtype.ts";
import { METHODS } from "./methods/index.ts";
import { allOperators } from "./testing/all-operators.ts";
import { interpreted, merged, programFor, randomModel } from "./testing/models.ts";
import { optionSets } from "./testing/options.ts";

const SIZES = [129, 64, 6, 1];

test("every operator of the language means the same in a kernel", () => {
  const program = programFor(allOperators(true), 2, "F32");
  const model = randomModel(program, [1001], 11);
  const expected = encodeElements(interpreted(program, model, "float32")[0]!, "F32");
  expect(merged(program, model)[0]!.bytes).toEqual(expected);
});

describe.each(Object.values(METHODS))("$name", (method) => {
  const modelCounts = [1, 2, 3, 8].filter((n) => n >= method.minModels && n <= (method.maxModels ?? n));
  const options = optionSets(method);
  const some = Math.min(3, method.maxModels ?? 3);

  test.each(FLOAT_DTYPES)("has the interpreter's bits in %s", (dtype) => {
    for (const models of modelCounts) {
      options.forEach((option, seed) => {
        const program = programFor(method, models, dtype, option);
        const model = randomModel(program, SIZES, seed);
        const expected = interpreted(program, model, "float32").map((x) => encodeElements(x, dtype));
        merged(program, model).forEach(({ bytes, flags }, t) => {
          expect(flags).toBe(0);
          expect(bytes, `${models} models, ${JSON.stringify(option)}, tensor ${t}`).toEqual(expected[t]);
        });
      });
    }
  });

  test.each(["F32", "BF16", "F16"] as const)("has the interpreter's bits in mergekit's arithmetic in %s", (working) => {
    for (const dtype of [working, "F32"] as const) {
      options.forEach((option, seed) => {
        const program = programFor(method, some, dtype, option, working, { working });
        const model = randomModel(program, SIZES, seed);
        const expected = interpreted(program, model, "float32").map((x) => encodeElements(x, working));
        merged(program, model).forEach(({ bytes }, t) => {
          expect(bytes, `${JSON.stringify(option)}, tensor ${t}`).toEqual(expected[t]);
        });
      });
    }
  });

  test("has the interpreter's bits when every input has another dtype", () => {
    const inputs = programFor(method, some, "F32").graph.inputs.length;
    const mixed = Array.from({ length: inputs }, (_, i): DTypeName => FLOAT_DTYPES[i % FLOAT_DTYPES.length]!);
    for (const output of FLOAT_DTYPES) {
      const program = programFor(method, some, mixed, {}, output);
      const model = randomModel(program, SIZES, 7);
      const expected = interpreted(program, model, "float32").map((x) => encodeElements(x, output));
      merged(program, model).forEach(({ bytes }, t) => {
        expect(bytes).toEqual(expected[t]);
      });
    }
  });

  test.runIf(method.artefact)("has the interpreter's bits in its masks", () => {
    for (const dtype of FLOAT_DTYPES) {
      for (const [models, masks] of [
        [3, 0],
        [11, 1],
      ] as const) {
        const program = programFor(method, models, Array(models + 1).fill(dtype), {}, "U8", { masks });
        const model = randomModel(program, SIZES, masks);
        const expected = interpreted(program, model, "float32").map((x) => encodeElements(x, "U8"));
        merged(program, model).forEach(({ bytes, flags }, t) => {
          expect(flags).toBe(0);
          expect(bytes).toEqual(expected[t]);
        });
      }
    }
  });

  test("stays within a few float32 roundings of the float64 result", () => {
    const program = programFor(method, some, "F32");
    const model = randomModel(program, SIZES, 3);
    const exact = interpreted(program, model, "float64");
    merged(program, model).forEach(({ bytes }, t) => {
      decodeElements(bytes, "F32").forEach((x, i) => {
        expect(Math.abs(x - exact[t]![i]!), `element ${i} of tensor ${t}`).toBeLessThan(1e-6);
      });
    });
  });
});
