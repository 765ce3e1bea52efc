// mergekit's arithmetic: what is rounded and what is not, operator by operator. That the whole of it gives mergekit's bits is
// shown on its outputs, in golden-mergekit.test.ts and tests/golden-merges.
import { describe, expect, test } from "vitest";
import { lowered } from "./arithmetic.ts";
import { canonical, topological } from "./canonical.ts";
import { roundedTo } from "./convert.ts";
import {
  abs,
  add,
  type Expr,
  type F32,
  gt,
  inFloat32,
  input,
  mul,
  param,
  random,
  select,
  sub,
  sum,
  sumOver,
  wide,
} from "./expr.ts";
import { buildGraph } from "./graph.ts";
import type { MergekitRounding, MergeMethod } from "./method.ts";
import { METHODS } from "./methods/index.ts";
import { drawingStreams } from "./scalars.ts";

const [x, y, z] = [0, 1, 2].map((model) => input({ kind: "model", model })) as [F32, F32, F32];
const method = (mergekit: MergekitRounding): MergeMethod => ({
  ...METHODS["linear"]!,
  parameters: {
    weight: { kind: "number", scope: "model", held: true, doc: "" },
    lambda: { kind: "number", scope: "global", doc: "" },
  },
  mergekit,
});
/** The lowered expression as text: `~` rounds to bfloat16, `^` to float16. */
const written = (
  e: F32,
  working: "F32" | "BF16" | "F16" | undefined,
  mergekit: MergekitRounding = "everyOperation",
) => {
  const text = (n: Expr): string => {
    const args = n.args.map(text);
    if (n.op === "input") return "xyz"[n.role.kind === "model" ? n.role.model : 0]!;
    if (n.op === "param") return n.name;
    if (n.op === "const") return String(n.value);
    if (n.op === "roundBF16") return `~${args[0]}`;
    if (n.op === "roundF16") return `^${args[0]}`;
    return `${n.op}(${args.join(", ")})`;
  };
  return text(lowered(e, { method: method(mergekit), working, needsCast: () => false }));
};

describe("every operation", () => {
  const each: readonly (readonly [string, F32, string])[] = [
    ["an operation rounds", sub(x, y), "~sub(x, y)"],
    ["a choice among rounded values does not", select(gt(x, y), abs(x), 0), "select(gt(x, y), abs(x), 0)"],
    [
      "a constant that the dtype lacks rounds with what it is chosen for",
      select(gt(x, y), x, 0.1),
      "~select(gt(x, y), x, 0.1)",
    ],
    ["a sum over models rounds once", sum([x, y, z]), "~add(add(x, y), z)"],
    ["additions written out round one by one", add(add(x, y), z), "~add(~add(x, y), z)"],
    ["a weight is held in a tensor: rounded before it is used", mul(x, param("weight[0]")), "~mul(x, ~weight[0])"],
    ["other parameters are Python's numbers", mul(x, param("lambda")), "~mul(x, lambda)"],
    ["which compute in float64 among themselves", mul(x, sub(1, param("lambda"))), "~mul(x, wide(sub(1, lambda)))"],
    ["and round to the dtype when compared", select(gt(x, param("lambda")), x, y), "select(gt(x, ~lambda), x, y)"],
    [
      "a sum over a tensor rounds, and what is computed with it",
      mul(x, wide(add(sumOver("tensor", x), 1))),
      "~mul(x, ~add(~statistic(x), 1))",
    ],
    ["the numbers of the generator are read", select(gt(random(0), 0.5), x, 0), "select(gt(drawn(), 0.5), x, 0)"],
  ];
  test.for(each)("%s", ([, e, wanted]) => {
    expect(written(e, "BF16")).toBe(wanted);
    expect(written(e, "F16")).toBe(wanted.replaceAll("~", "^"));
    expect(written(e, "F32")).toBe(wanted.replaceAll("~", ""));
  });

  test("float16 is left for float32 where mergekit leaves it, and come back to", () => {
    const e = mul(
      inFloat32(sub(x, y), (d) => mul(mul(d, 3), 5)),
      7,
    );
    expect(written(e, "F16")).toBe("^mul(^mul(mul(^sub(x, y), 3), 5), 7)");
    expect(written(e, "BF16")).toBe("~mul(~mul(~mul(~sub(x, y), 3), 5), 7)");
  });
});

test("methods that mergekit computes in float32 round once, or never", () => {
  const e = mul(sum([x, y, z]), param("weight[0]"));
  expect(written(e, "BF16", "once")).toBe("~mul(add(add(x, y), z), weight[0])");
  expect(written(e, "BF16", "never")).toBe("mul(add(add(x, y), z), weight[0])");
});

test("without mergekit's arithmetic nothing rounds and random numbers are keyed", () => {
  const e = select(gt(random(2, gt(param("lambda"), 0)), 0.5), inFloat32(sum([x, y, z]), abs), 0);
  expect(written(e, undefined)).toBe("select(gt(random(), 0.5), abs(add(add(x, y), z)), 0)");
});

test("inputs of another dtype are cast", () => {
  const cast = lowered(sub(x, y), { method: method("everyOperation"), working: "BF16", needsCast: () => true });
  expect(topological(canonical([cast]), () => false).filter((n) => n.op === "roundBF16")).toHaveLength(3);
});

test("every method has the same stages and parameters whatever the dtype", () => {
  for (const { name, base, minModels, maxModels = 3 } of Object.values(METHODS)) {
    const spec = {
      method: name,
      models: Math.max(minModels, Math.min(3, maxModels)),
      hasBase: base !== "none",
      options: {},
    };
    const shape = (working: "F32" | "BF16" | "F16" | "own") => {
      const { stages, rowStages, parameters, draws } = buildGraph({ ...spec, working });
      const found = [...stages, ...rowStages].map((s) => [s.scope, s.family, s.outputs, s.parameters]);
      return { found, parameters, streams: draws.map(({ stream }) => stream) };
    };
    for (const working of ["BF16", "F16", "own"] as const) expect(shape(working), name).toEqual(shape("F32"));
  }
});

test("streams draw where mergekit draws: densities between 0 and 1, and for dare 0 too", () => {
  const streams = (name: string): number[] => {
    const graph = buildGraph({ method: name, models: 4, hasBase: true, options: {}, working: "F32" });
    const densities = { "density[0]": 0, "density[1]": 0.5, "density[2]": 1, "density[3]": 0.25 };
    return drawingStreams(graph, densities);
  };
  expect(streams("dare_ties")).toEqual([0, 1, 3]);
  expect(streams("della")).toEqual([1, 3]);
  expect(streams("ties")).toEqual([]);
});

test("rounding a number is storing and loading it", () => {
  expect(roundedTo(0.3, "BF16")).toBe(0.30078125);
  expect(roundedTo(0.3, "F16")).toBe(0.300048828125);
  expect(roundedTo(1e6, "F16")).toBe(Infinity);
  expect(roundedTo(Number.NaN, "BF16")).toBeNaN();
});
