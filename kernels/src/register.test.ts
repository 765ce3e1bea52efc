import { expect, test } from "vitest";
import { buildGraph } from "./graph.ts";
import { LANGUAGE, type MethodFile } from "./language.ts";
import type { MergeMethod } from "./method.ts";
import { registerMethod } from "./register.ts";

const halves: MethodFile = ({ div, sum }) => ({
  name: "made_for_a_test",
  summary: "",
  reference: "",
  base: "none",
  minModels: 2,
  companions: [],
  parameters: {},
  build: (m) => div(sum(m.models), 2),
});

test("a method that was registered is known by its name, once", () => {
  registerMethod(halves(LANGUAGE));
  expect(buildGraph({ method: "made_for_a_test", models: 2, hasBase: false, options: {} }).inputs).toHaveLength(2);
  expect(() => registerMethod(halves(LANGUAGE))).toThrow("there is a method `made_for_a_test` already");
  expect(() => registerMethod({ ...halves(LANGUAGE), name: "ties" })).toThrow("there is a method `ties` already");
});

test("what is no method is told what it lacks", () => {
  const method = { ...halves(LANGUAGE), name: "another" };
  const bad = (changes: object): (() => void) => {
    return () => registerMethod({ ...method, ...changes } as MergeMethod);
  };
  expect(() => registerMethod(undefined as unknown as MergeMethod)).toThrow("it needs a `name`");
  expect(bad({ name: "__proto__" })).toThrow("it needs a `name`");
  expect(bad({ base: "yes", minModels: 0, build: 3 })).toThrow(
    '`another`: `base` must be "required", "optional" or "none"; `minModels` must be a whole number from 1 up; `build` must be a function',
  );
  expect(bad({ parameters: { t: { kind: "number" } } })).toThrow(
    'the parameter `t` needs `scope`: "global" or "model"',
  );
  expect(bad({ parameters: { t: { kind: "enum", scope: "global", doc: "", default: "a" } } })).toThrow(
    "needs `choices`",
  );
  expect(bad({ conditionedOn: "weight" })).toThrow("`conditionedOn` must name a number parameter of the models");
  expect(bad({ build: (m: { param: (name: string) => unknown }) => m.param("t") })).toThrow(
    "declares no global number",
  );
});
