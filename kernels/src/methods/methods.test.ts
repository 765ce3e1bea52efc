// What each method must satisfy whatever the numbers are, and what it refuses.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { decodeElements, encodeElements } from "../convert.ts";
import { buildGraph, LAYER_COUNT, LAYER_INDEX } from "../graph.ts";
import { RANDOM_KEY } from "../random.ts";
import { generator, merged, programFor } from "../testing/models.ts";
import { closeTo, family, merge, perModel } from "../testing/properties.ts";
import { METHODS } from "./index.ts";

const all = { ...perModel("density", [0.5, 0.5, 0.5]), lambda: 0, floor: 1e-6, epsilon: 1e-12 };

test("a scale of zero gives the base back exactly", () => {
  fc.assert(
    fc.property(family, ([base, models]) => {
      const scalars = { ...all, ...perModel("weight", [0.3, 0.4, 0.5]) };
      for (const method of ["task_arithmetic", "ties", "ties_official"])
        expect(merge(method, [base, ...models], scalars)).toEqual(base.map((b) => b + 0));
      const fishers = models.map((m) => m.map(Math.abs));
      const none = { ...all, ...perModel("weight", [0, 0, 0]) };
      expect(merge("df_merge", [base, ...models, ...fishers], none)).toEqual(base.map((b) => b + 0));
    }),
  );
});

test("merging equal models gives the model", () => {
  fc.assert(
    fc.property(family, ([base, [model, importance]]) => {
      const models = [model!, model!, model!];
      const ones = { ...perModel("weight", [1, 1, 1]), ...perModel("density", [1, 1, 1]), lambda: 1 };
      closeTo(merge("linear", models, ones), model!);
      closeTo(merge("ties", [base, ...models], ones), model!);
      closeTo(merge("ties_official", [base, ...models], ones), model!);
      const fishers = models.map(() => importance!.map(Math.abs));
      expect(merge("fisher", [...models, ...fishers], { ...ones, floor: 1e-6 })).toEqual(model!.map((x) => x + 0));
    }),
  );
});

test("models equal to the base give the base, and equal models the model", () => {
  fc.assert(
    fc.property(family, ([base, [model]]) => {
      const ones = {
        ...perModel("weight", [1, 1, 1]),
        ...perModel("density", [1, 1, 1]),
        ...perModel("gamma", [0, 0, 0]),
      };
      const scalars = { ...ones, lambda: 1, t: 0.3, eps: 1e-8, epsilon: 0, r: 0, alpha: 0, select_topk: 1 };
      const keep = { without_outliers: "keep" };
      const cases = [
        ["breadcrumbs_ties", 3, { ...keep, normalize: true }],
        ["breadcrumbs", 3, { ...keep, normalize: true }],
        ["nuslerp", 2, {}],
        ["multislerp", 3, {}],
        ["model_stock", 3, {}],
        ["ram", 3, {}],
        ["ramplus_tl", 3, {}],
      ] as const;
      for (const [method, count, options] of cases) {
        const copies = (x: readonly number[]) => Array<readonly number[]>(count).fill(x);
        closeTo(merge(method, [base, ...copies(base)], scalars, options), base);
        // Task vectors this short have no direction for some of mergekit's methods.
        if (Math.hypot(...model!.map((x, i) => x - base[i]!)) < 1e-2) continue;
        closeTo(merge(method, [base, ...copies(model!)], scalars, options), model!);
      }
      closeTo(merge("karcher", [model!, model!], { max_iter: 10, tol: 1e-7 }), model!);
      for (const method of ["slerp", "nearswap", "sce"]) closeTo(merge(method, [base, base], scalars), base);
      closeTo(merge("passthrough", [model!], { "scale[0]": 1 }), model!);
    }),
    { numRuns: 30 },
  );
});

describe("slerp", () => {
  test("ends at the base and at the model", () => {
    fc.assert(
      fc.property(family, ([base, [model]]) => {
        closeTo(merge("slerp", [base, model!], { t: 0 }), base);
        closeTo(merge("slerp", [base, model!], { t: 1 }), model!);
      }),
      { numRuns: 30 },
    );
  });

  test("goes along the circle: half way between right angles both have the cosine of 45 degrees", () => {
    const half = Math.SQRT1_2;
    closeTo(
      merge(
        "slerp",
        [
          [1, 0],
          [0, 1],
        ],
        { t: 0.5 },
      ),
      [half, half],
    );
    closeTo(
      merge(
        "nuslerp",
        [
          [0, 0],
          [2, 0],
          [0, 2],
        ],
        perModel("weight", [1, 1]),
      ),
      [2 * half, 2 * half],
    );
    closeTo(
      merge(
        "karcher",
        [
          [3, 0],
          [0, 1],
        ],
        { max_iter: 10, tol: 1e-5 },
      ),
      [2 * half, 2 * half],
    );
  });
});

describe("breadcrumbs", () => {
  const delta = [
    [0, 0, 0, 0],
    [1, -2, 3, -4],
  ];
  const scalars = { "weight[0]": 1, "density[0]": 0.5, lambda: 1 };
  test("drops the largest and the smallest", () => {
    expect(merge("breadcrumbs", delta, { ...scalars, "gamma[0]": 0.25 })).toEqual([0, -2, 3, 0]);
  });
  test("without an outlier to drop loses the task vector as mergekit does, unless told otherwise", () => {
    expect(merge("breadcrumbs", delta, { ...scalars, "gamma[0]": 0.01 })).toEqual([0, 0, 0, 0]);
    const keep = { without_outliers: "keep" };
    expect(merge("breadcrumbs", delta, { ...scalars, "gamma[0]": 0.01 }, keep)).toEqual([0, 0, 3, -4]);
  });
});

describe("arcee_fusion", () => {
  test("takes the entries whose distance times their row's divergence is far above the median", () => {
    const next = generator(5);
    const rows = 40;
    const length = 25;
    const base = Array.from({ length: rows * length }, () => next() - 0.5);
    const model = base.map((b) => b + (next() - 0.5) ** 3);
    const [p, q] = [model, base].map((x) =>
      x.map((_, i) => {
        const row = x.slice(i - (i % length), i - (i % length) + length).map(Math.exp);
        return row[i % length]! / row.reduce((a, b) => a + b, 0) + 1e-8;
      }),
    ) as [number[], number[]];
    const importance = model.map((x, i) => {
      const start = i - (i % length);
      let divergence = 0;
      for (let k = start; k < start + length; k++) divergence += p[k]! * Math.log(p[k]! / q[k]!);
      return Math.abs(x - base[i]!) * divergence;
    });
    const sorted = importance.toSorted((a, b) => a - b);
    const quantile = (fraction: number): number => sorted[Math.floor(fraction * (sorted.length - 1))]!;
    const threshold = quantile(0.5) + 1.5 * (quantile(0.75) - quantile(0.25));
    const expected = importance.map((x) => x >= threshold);
    const program = programFor(METHODS["arcee_fusion"]!, 1, "F32");
    const tensor = {
      inputs: [base, model].map((x) => encodeElements(x, "F32")),
      elements: base.length,
      rowElements: length,
      scalars: {},
    };
    const result = decodeElements(merged(program, [tensor])[0]!.bytes, "F32");
    const differing = expected.filter((kept, i) => kept !== (result[i] !== Math.fround(base[i]!))).length;
    expect(expected.filter(Boolean).length).toBeGreaterThan(50);
    // An entry at the threshold may fall on either side in float32.
    expect(differing).toBeLessThanOrEqual(2);
  });
});

describe("linear", () => {
  test("does not depend on the order of the models but for rounding", () => {
    fc.assert(
      fc.property(family, ([, [a, b, c]]) => {
        const forward = merge("linear", [a!, b!, c!], perModel("weight", [1, 2, 3]));
        closeTo(merge("linear", [c!, a!, b!], perModel("weight", [3, 1, 2])), forward);
      }),
    );
  });
});

describe("fisher", () => {
  const scalars = { ...perModel("weight", [1, 1, 1]), floor: 1e-6 };

  test("stays between the models, and equal information is the average", () => {
    fc.assert(
      fc.property(family, ([, models]) => {
        const fishers = [0, 1, 2].map((i) => models[i]!.map((x, j) => Math.abs(x * models[(i + 1) % 3]![j]!)));
        merge("fisher", [...models, ...fishers], scalars).forEach((x, j) => {
          const here = models.map((m) => m[j]!);
          expect(x).toBeGreaterThanOrEqual(Math.min(...here) - 1e-6);
          expect(x).toBeLessThanOrEqual(Math.max(...here) + 1e-6);
        });
        const same = models.map(() => models[0]!.map(() => 0.25));
        const mean = models[0]!.map((_, j) => models.reduce((sum, m) => sum + m[j]!, 0) / 3);
        closeTo(merge("fisher", [...models, ...same], scalars), mean);
      }),
    );
  });

  test("keeps the target where nobody has information, and also when the target has no weight", () => {
    const inputs = [[1], [2], [3], [0], [0], [0]];
    expect(merge("fisher", inputs, scalars)).toEqual([1]);
    expect(merge("fisher", inputs, { ...scalars, "weight[0]": 0 })).toEqual([1]);
    expect(merge("fisher", inputs, scalars, { favor_target: false })).toEqual([2]);
  });

  test("normalises information whose square float32 could not hold", () => {
    const tiny = [
      [1, 1],
      [3, 3],
      [1e-25, 1e-25],
      [2e-25, 2e-25],
    ];
    const found = merge("fisher", tiny, { ...scalars, floor: 0 }, { normalize: "l2", favor_target: false });
    closeTo(found, [2, 2]);
  });
});

describe("df_merge", () => {
  test("is task arithmetic when every model is equally important, even without information", () => {
    fc.assert(
      fc.property(family, fc.constantFrom(0, 0.7), ([base, models], importance) => {
        const scalars = { ...perModel("weight", [0.4, 0.7, 0.9]), epsilon: 1e-12 };
        const equal = models.map(() => base.map(() => importance));
        const task = merge("task_arithmetic", [base, ...models], { ...scalars, lambda: 1 });
        closeTo(merge("df_merge", [base, ...models, ...equal], scalars), task);
      }),
    );
  });

  test("has the factor M: a model that alone is important counts M times", () => {
    const found = merge("df_merge", [[1], [2], [5], [1e6], [0]], { ...perModel("weight", [0.5, 0.5]), epsilon: 1e-12 });
    closeTo(found, [1 + 2 * 0.5 * 1]);
  });
});

describe("ties_official", () => {
  test("keeps everything at density 1", () => {
    closeTo(
      merge(
        "ties_official",
        [
          [0, 0, 0],
          [1, -2, 1e-6],
        ],
        { "density[0]": 1, lambda: 1 },
      ),
      [1, -2, 1e-6],
    );
  });

  test("decides an entry whose sum is zero by the majority of the whole model", () => {
    const scalars = { ...perModel("density", [1, 1]), lambda: 1 };
    expect(
      merge(
        "ties_official",
        [
          [0, 0, 0],
          [1, -1, -1],
          [-1, -1, -1],
        ],
        scalars,
      ),
    ).toEqual([-1, -1, -1]);
    expect(
      merge(
        "ties_official",
        [
          [0, 0],
          [1, 0],
          [-1, 0],
        ],
        scalars,
      ),
    ).toEqual([1, 0]);
  });
});

describe("ties", () => {
  test("keeps the lowest indexes of equal magnitudes, and nothing when the density leaves no entry", () => {
    const scalars = { "weight[0]": 1, "density[0]": 0.5, lambda: 1 };
    expect(
      merge(
        "ties",
        [
          [0, 0, 0, 0],
          [-2, 2, 2, -2],
        ],
        scalars,
      ),
    ).toEqual([-2, 2, 0, 0]);
    expect(merge("ties", [[5], [9]], scalars)).toEqual([5]);
  });
});

describe("a merge is refused", () => {
  const spec = { method: "ties", models: 2, hasBase: true, options: {} };
  test("when the method is unknown, naming the known ones", () => {
    expect(() => buildGraph({ ...spec, method: "teis" })).toThrow(/unknown merge method teis: .*ties/);
  });
  test("when the base is missing", () => {
    expect(() => buildGraph({ ...spec, hasBase: false })).toThrow("ties: a base model is required");
  });
  test("when there are too few models", () => {
    expect(() => buildGraph({ ...spec, models: 0 })).toThrow("at least 1 models");
  });
  test("when an option is unknown or has a value of the wrong kind", () => {
    expect(() => buildGraph({ ...spec, options: { normalise: true } })).toThrow("normalise is not one of its options");
    expect(() => buildGraph({ ...spec, options: { normalize: "yes" } })).toThrow("must be true or false");
    expect(() => buildGraph({ ...spec, method: "ties_official", options: { merge: "median" } })).toThrow(
      "mean, sum, max",
    );
  });
});

test("every parameter a graph asks for is declared, and results of a stage name the parameters they depend on", () => {
  for (const method of Object.values(METHODS)) {
    const models = Math.min(2, method.maxModels ?? 2);
    const graph = buildGraph({ method: method.name, models, hasBase: method.base !== "none", options: {} });
    for (const name of graph.parameters.filter((n) => ![RANDOM_KEY, LAYER_INDEX, LAYER_COUNT].includes(n)))
      expect(method.parameters).toHaveProperty(name.replace(/\[\d+\]$/, ""));
  }
  const stages = buildGraph({ method: "ties_official", models: 2, hasBase: true, options: {} }).stages;
  expect(stages.map((s) => [s.scope, s.family])).toEqual([
    ["model", "select"],
    ["model", "reduce"],
  ]);
  expect(stages.map((s) => s.parameters)).toEqual([
    ["density[0]", "density[1]"],
    ["density[0]", "density[1]"],
  ]);
});
