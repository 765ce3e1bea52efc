import { expect, test } from "vitest";
import { encodeElements } from "./convert.ts";
import type { F32 } from "./expr.ts";
import { METHODS } from "./methods/index.ts";
import { merged, programFor } from "./testing/models.ts";
import { exp, log, tanh } from "./transcendental.ts";

function mapped(build: (x: F32) => F32, values: readonly number[]): Float32Array {
  const method = {
    ...METHODS["linear"]!,
    parameters: {},
    build: (m: { readonly models: readonly F32[] }) => build(m.models[0]!),
  };
  const tensor = { inputs: [encodeElements(values, "F32")], elements: values.length, scalars: {} };
  return new Float32Array(merged(programFor(method, 1, "F32"), [tensor])[0]!.bytes.buffer);
}

test("exp and log are within a few float32 roundings of the functions", () => {
  const steps = Array.from({ length: 20_001 }, (_, i) => Math.fround(i / 20_000));
  const powers = steps.map((x) => Math.fround(-86 * x));
  mapped(exp, powers).forEach((y, i) => {
    expect(Math.abs(y / Math.exp(powers[i]!) - 1), `exp(${powers[i]})`).toBeLessThan(3e-7);
  });
  const numbers = steps.map((x) => Math.fround(Math.exp(40 * x - 20)));
  mapped(log, numbers).forEach((y, i) => {
    const exact = Math.log(numbers[i]!);
    expect(Math.abs(y - exact), `log(${numbers[i]})`).toBeLessThanOrEqual(3e-7 * Math.abs(exact) + 2e-8);
  });
  expect([...mapped(log, [1])]).toEqual([0]);
  expect([...mapped(exp, [0])]).toEqual([1]);
});

test("tanh is within a few float32 roundings everywhere, near zero and far from it", () => {
  const steps = Array.from({ length: 20_001 }, (_, i) => Math.fround((i - 10_000) / 300));
  const numbers = [...steps, ...steps.map((x) => Math.fround(x / 1e6)), 1e30, -1e30, 1e-30];
  mapped(tanh, numbers).forEach((y, i) => {
    const exact = Math.tanh(numbers[i]!);
    expect(Math.abs(y - exact), `tanh(${numbers[i]})`).toBeLessThanOrEqual(5e-7 * Math.abs(exact));
  });
});
