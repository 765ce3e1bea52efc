// What the papers' methods must satisfy whatever the numbers are.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { decodeElements } from "../convert.ts";
import { scaleValues } from "../scalars.ts";
import { type Model, merged, programFor, randomModel } from "../testing/models.ts";
import { closeTo, family, merge, perModel } from "../testing/properties.ts";
import { METHODS } from "./index.ts";

const few = { numRuns: 40 };
const ones = perModel("weight", [1, 1, 1]);
const pcb = { ...ones, density: 0.5, clip: 1e-4, lambda: 1 };
const consensus = { ...perModel("mask_lambda", [0.4, 0.4, 0.4]), lambda: 1, agreement: 2 };
const ties = perModel("density", [0.5, 0.5, 0.5]);
const SUMS: readonly (readonly [string, Record<string, number>])[] = [
  ["pcb", pcb],
  ["consensus_ta", consensus],
  ["consensus_ties", { ...consensus, ...ties }],
];

describe.each(SUMS)("%s", (method, scalars) => {
  test("gives the base back exactly at lambda 0, and where no model differs from it", () => {
    fc.assert(
      fc.property(family, ([base, models]) => {
        const zero = base.map((b) => b + 0);
        expect(merge(method, [base, ...models], { ...scalars, lambda: 0 })).toEqual(zero);
        expect(merge(method, [base, base, base, base], scalars)).toEqual(zero);
      }),
      few,
    );
  });

  test("does not depend on the order of the models but for rounding", () => {
    fc.assert(
      fc.property(family, ([base, [a, b, c]]) => {
        // Small whole numbers, so that sums are exact and no rounding decides an election or a threshold.
        const [x, y, z] = [a, b, c].map((m) => m!.map((v) => Math.round(v * 8) / 8));
        const zero = base.map(() => 0);
        closeTo(merge(method, [zero, x!, y!, z!], scalars), merge(method, [zero, z!, x!, y!], scalars), 1e-5);
      }),
      few,
    );
  });
});

describe("df_merge", () => {
  const coefficients = fc.array(fc.float({ min: 0, max: 1, noNaN: true }), { minLength: 3, maxLength: 3 });
  const alike = (models: readonly number[][], value: number) => models.map((m) => m.map(() => value));

  test("with equal importance is task arithmetic, whatever the importance", () => {
    fc.assert(
      fc.property(family, coefficients, fc.constantFrom(0, 1, 1e-3), ([base, models], weights, value) => {
        const scalars = { ...perModel("weight", weights), epsilon: 1e-12, lambda: 1 };
        const found = merge("df_merge", [base, ...models, ...alike(models, value)], scalars);
        closeTo(found, merge("task_arithmetic", [base, ...models], scalars), 1e-5);
      }),
      few,
    );
  });

  test("with equal importance and weights 1 / M is the average of the models", () => {
    fc.assert(
      fc.property(family, ([base, models]) => {
        const scalars = { ...perModel("weight", [1 / 3, 1 / 3, 1 / 3]), epsilon: 1e-12 };
        const found = merge("df_merge", [base, ...models, ...alike(models, 1)], scalars);
        closeTo(found, merge("uniform_soup", models, {}), 1e-5);
      }),
      few,
    );
  });

  test("with weights 1 / M is Fisher merging without a floor", () => {
    fc.assert(
      fc.property(family, ([base, models]) => {
        const fishers = models.map((m) => m.map((x) => 0.01 + Math.abs(x)));
        const scalars = { ...perModel("weight", [1 / 3, 1 / 3, 1 / 3]), epsilon: 0 };
        const found = merge("df_merge", [base, ...models, ...fishers], scalars);
        closeTo(found, merge("fisher", [...models, ...fishers], { ...ones, floor: 0 }), 1e-5);
      }),
      few,
    );
  });

  test("goes to base + M * weight * task vector of the model whose importance is far above the others'", () => {
    fc.assert(
      fc.property(family, coefficients, ([base, models], weights) => {
        const fishers = models.map((m, i) => m.map(() => (i === 1 ? 1 : 1e-9)));
        const found = merge("df_merge", [base, ...models, ...fishers], { ...perModel("weight", weights), epsilon: 0 });
        const expected = base.map((b, j) => b + 3 * Math.fround(weights[1]!) * (models[1]![j]! - b));
        closeTo(found, expected, 1e-5);
      }),
      few,
    );
  });
});

describe("model_stock", () => {
  test("stays between the base and the models' mean when it is clamped", () => {
    fc.assert(
      fc.property(family, ([base, models]) => {
        const mean = merge("uniform_soup", models, {});
        merge("model_stock", [base, ...models], {}, { clamp: true }).forEach((x, j) => {
          expect(x).toBeGreaterThanOrEqual(Math.min(base[j]!, mean[j]!) - 1e-5);
          expect(x).toBeLessThanOrEqual(Math.max(base[j]!, mean[j]!) + 1e-5);
        });
      }),
      few,
    );
  });
});

describe("pcb", () => {
  test("lies, entry by entry, between zero and the task vectors that it is an average of", () => {
    fc.assert(
      fc.property(family, ([base, models]) => {
        const vectors = models.map((m) => m.map((x, j) => x - base[j]!));
        merge("pcb", [base, ...models], pcb).forEach((x, j) => {
          const here = vectors.map((v) => v[j]!);
          expect(x - base[j]!).toBeGreaterThanOrEqual(Math.min(0, ...here) - 1e-5);
          expect(x - base[j]!).toBeLessThanOrEqual(Math.max(0, ...here) + 1e-5);
        });
      }),
      few,
    );
  });
  test("keeps no more than the fraction of the entries that it is told to", () => {
    const base = Array.from({ length: 20 }, () => 0);
    const model = base.map((_, j) => (j + 1) / 10);
    const kept = (density: number): number =>
      merge("pcb", [base, model], { "weight[0]": 1, density, clip: 0, lambda: 1 }).filter((x) => x !== 0).length;
    expect([kept(0.25), kept(0.5), kept(1)]).toEqual([4, 9, 19]);
    expect(kept(0)).toBe(0);
  });
});

describe("consensus_ta", () => {
  test("with agreement 0 is task arithmetic", () => {
    fc.assert(
      fc.property(family, ([base, models]) => {
        const found = merge("consensus_ta", [base, ...models], { ...consensus, agreement: 0 });
        closeTo(found, merge("task_arithmetic", [base, ...models], { ...ones, lambda: 1 }));
      }),
      few,
    );
  });
});

/** Vector, masks (bit by bit) and scales of an artefact of one tensor. */
function artefactOf(method: string, model: Model, masks: number): { vector: Float64Array; bits: Float64Array } {
  const inputs = model[0]!.inputs.length;
  const reads = Array(inputs).fill("F32");
  const program = programFor(METHODS[method]!, inputs - 1, reads, {}, "U8", { masks });
  const vector = merged(programFor(METHODS[method]!, inputs - 1, "F32"), model)[0]!.bytes;
  return {
    vector: decodeElements(vector, "F32"),
    bits: decodeElements(merged(program, model)[0]!.bytes, "U8"),
  };
}

describe("emr", () => {
  test("gives each model's entries its sign where its mask is set, and the L1 norm of its task vector", () => {
    const program = programFor(METHODS["emr"]!, 3, "F32");
    for (const seed of [1, 2, 3]) {
      const model = randomModel(program, [200], seed);
      const { vector, bits } = artefactOf("emr", model, 0);
      const [base, ...tuned] = model[0]!.inputs.map((bytes) => decodeElements(bytes, "F32")) as [Float64Array];
      const scales = scaleValues(program.graph, merged(program, model)[0]!.scalars);
      tuned.forEach((values: Float64Array, i) => {
        const delta = values.map((x, j) => Math.fround(x - base[j]!));
        let [masked, all] = [0, 0];
        delta.forEach((d, j) => {
          const kept = (bits[j]! >> i) & 1;
          if (kept) expect(Math.sign(vector[j]!)).toBe(Math.sign(d));
          masked += kept * Math.abs(vector[j]!);
          all += Math.abs(d);
        });
        expect(scales[i]! * masked).toBeCloseTo(all, 4);
      });
    }
  });

  test("of one model is the model: its task vector, a mask of its changes, and scale 1", () => {
    const program = programFor(METHODS["emr"]!, 1, "F32");
    const model = randomModel(program, [100], 4);
    const { vector, bits } = artefactOf("emr", model, 0);
    const [base, tuned] = model[0]!.inputs.map((bytes) => decodeElements(bytes, "F32"));
    vector.forEach((x, j) => {
      expect(x + 0).toBe(Math.fround(tuned![j]! - base![j]!) + 0);
      expect(bits[j]).toBe(tuned![j] === base![j] ? 0 : 1);
    });
    expect(scaleValues(program.graph, merged(program, model)[0]!.scalars)).toEqual([1]);
  });

  test("has the masks of the ninth model on in a second group, and no third", () => {
    const program = programFor(METHODS["emr"]!, 9, "F32");
    const model = randomModel(program, [50], 5);
    const { bits } = artefactOf("emr", model, 1);
    expect(Math.max(...bits)).toBe(1);
    expect(() => artefactOf("emr", model, 2)).toThrow("emr: there are no masks from model 16 on");
    expect(() => programFor(METHODS["linear"]!, 2, "F32", {}, "F32", { masks: 0 })).toThrow(
      "linear: there are no masks",
    );
  });
});

describe("layer_swap", () => {
  const swap = (layerIndex: number, more: Record<string, number> = {}): number =>
    merge("layer_swap", [[1], [3]], {
      layerIndex,
      layerCount: 6,
      bottom: 1,
      top: 2,
      transition: 0,
      share: 0.5,
      ...more,
    })[0]!;
  test("takes embeddings, the first and the last layers of one model, and the layers between of the other", () => {
    expect([-1, 0, 1, 2, 3, 4, 5].map((layer) => swap(layer))).toEqual([1, 1, 3, 3, 3, 1, 1]);
  });
  test("mixes the layers next to the borders, and no others", () => {
    const mixed = { bottom: 0, top: 1, transition: 2, share: 0.25 };
    expect([-1, 0, 1, 2, 3, 4, 5].map((layer) => swap(layer, mixed))).toEqual([1, 1.5, 1.5, 3, 1.5, 1.5, 1]);
  });
});
