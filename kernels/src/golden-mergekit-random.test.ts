// mergekit's random methods. Its masks come from one MT19937 stream consumed in the order of execution, which a generator keyed
// by position cannot reproduce (decision 0014). Here the methods run as they are, but for taking mergekit's numbers
// in place of theirs: what is left, the arithmetic, must give mergekit's results.
import { expect, test } from "vitest";
import type { Expr, F32 } from "./expr.ts";
import type { Scalars } from "./index.ts";
import { mergeTensors } from "./merge.ts";
import type { MergeMethod } from "./method.ts";
import { METHODS } from "./methods/index.ts";
import { floats, readTensors } from "./testing/golden-mergekit.ts";
import { programFor } from "./testing/models.ts";

/** 32-bit outputs of MT19937 seeded with one integer (Matsumoto and Nishimura 1998, 2002). */
function mersenneTwister(seed: number): () => number {
  const state = new Uint32Array(624);
  state[0] = seed;
  for (let i = 1; i < 624; i++) state[i] = Math.imul(state[i - 1]! ^ (state[i - 1]! >>> 30), 1812433253) + i;
  let at = 624;
  return () => {
    if (at === 624) {
      for (let i = 0; i < 624; i++) {
        const y = (state[i]! & 0x80000000) | (state[(i + 1) % 624]! & 0x7fffffff);
        state[i] = state[(i + 397) % 624]! ^ (y >>> 1) ^ (y & 1 ? 0x9908b0df : 0);
      }
      at = 0;
    }
    let y = state[at++]!;
    y ^= y >>> 11;
    y ^= (y << 7) & 0x9d2c5680;
    y ^= (y << 15) & 0xefc60000;
    return (y ^ (y >>> 18)) >>> 0;
  };
}

/** The method with the numbers of a companion tensor `uniform` in place of random ones. */
function withGivenNumbers(method: MergeMethod): MergeMethod {
  return {
    ...method,
    companions: ["uniform"],
    build: (m) => {
      const given = (e: Expr): Expr =>
        e.op === "random" ? m.companions("uniform")[e.stream]! : ({ ...e, args: e.args.map(given) } as Expr);
      return given(method.build(m)) as F32;
    },
  };
}

const settings: Scalars = {
  ...{ "weight[0]": 0.3, "weight[1]": 0.5, "weight[2]": 0.4 },
  ...{ "density[0]": 0.53, "density[1]": 0.4, "density[2]": 0.7 },
  ...{ "epsilon[0]": 0.15, "epsilon[1]": 0.15, "epsilon[2]": 0.15 },
  lambda: 0.9,
};

test.each(["dare_linear", "dare_ties", "della", "della_linear"])(
  "%s with mergekit's numbers gives mergekit's results",
  (name) => {
    const program = programFor(withGivenNumbers(METHODS[name]!), 3, "F32");
    const next = mersenneTwister(7);
    const models = ["base", "expert1", "expert2", "expert3"].map((model) => readTensors(`inputs/${model}`));
    const wanted = readTensors(`expected/${name}`);
    for (const tensor of [...wanted.keys()].sort()) {
      const { bytes, rowElements } = wanted.get(tensor)!;
      const elements = bytes.length / 4;
      const numbers = [0, 1, 2].map(() => Float32Array.from({ length: elements }, () => (next() & 0xffffff) / 2 ** 24));
      const inputs = [...models.map((m) => m.get(tensor)!.bytes), ...numbers.map((x) => new Uint8Array(x.buffer))];
      const [merged] = mergeTensors(program, [{ inputs, elements, rowElements, scalars: settings }]);
      const values = floats(merged!.bytes);
      // torch sums the norms that rescale in float32, in an order of its own: a digit or two in the last place.
      for (const [i, x] of floats(bytes).entries())
        expect(Math.abs(values[i]! - x), `${tensor}[${i}]`).toBeLessThanOrEqual(3e-7 * Math.abs(x) + 1e-8);
    }
  },
);
