// How long an ask takes, by processor time of this process: n measurements are told to a study, then proposals are asked
// for and told one by one. Two kinds of ask: the first one, which fits the models from nothing, and those after it.
//
//   node tests/bench/optimizer/ask-latency.ts [--trials 20,50,100] [--dimensions 4,8] [--asks 20]

import { parseArgs } from "node:util";
import { createStudy, type Dimension, type Study, type Values } from "@amalgam/optimizer";

const { values: options } = parseArgs({
  options: {
    trials: { type: "string", default: "20,50,100,200,500,1000,2000" },
    dimensions: { type: "string", default: "4,8,30,200" },
    asks: { type: "string", default: "20" },
  },
});
const numbers = (list: string): number[] => list.split(",").map(Number);

/** A merge's kind of score: smooth, with one optimum, its coefficients unequal, and the noise of 500 items. */
function score(values: Values, noise: number): { values: number[]; standardErrors: number[] } {
  const distance = Object.values(values).reduce((sum: number, x, k) => sum + ((Number(x) - 0.4) * 1.5 ** -k) ** 2, 0);
  const accuracy = 0.3 + 0.5 * Math.exp(-2 * distance);
  const standardError = Math.sqrt((accuracy * (1 - accuracy)) / 500);
  return { values: [accuracy + standardError * noise], standardErrors: [standardError] };
}

/** Enough of a random number for measurements: reproducible, in [0, 1). */
function createUniform(): () => number {
  let state = 1;
  return () => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    return state / 2 ** 32;
  };
}

function told(dimension: number, trials: number): { study: Study; normal: () => number } {
  const uniform = createUniform();
  const normal = (): number => Math.sqrt(-2 * Math.log(1 - uniform())) * Math.cos(2 * Math.PI * uniform());
  const dimensions = Array.from(
    { length: dimension },
    (_, k): Dimension => ({ name: `x${k}`, kind: "float", low: 0, high: 1 }),
  );
  const study = createStudy({ dimensions, seed: 1 });
  for (let k = 0; k < trials; k++) {
    // Half scattered, half around the optimum, as in a search that went on for a while.
    const spread = k % 2 ? 0.2 : 1;
    const point = Object.fromEntries(dimensions.map(({ name }) => [name, 0.4 * (1 - spread) + spread * uniform()]));
    study.addObservation(point, score(point, normal()));
  }
  return { study, normal };
}

function milliseconds(action: () => void): number {
  const before = process.cpuUsage();
  action();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1000;
}

const quantile = (sorted: readonly number[], q: number): number => sorted[Math.ceil(q * sorted.length) - 1]!;
const cell = (value: number): string => value.toFixed(value < 10 ? 1 : 0).padStart(8);

process.stdout.write("ms of processor time an ask\n   d     n    first     p50     p95\n");
for (const dimension of numbers(options.dimensions)) {
  for (const trials of numbers(options.trials)) {
    const { study, normal } = told(dimension, trials);
    const times = Array.from({ length: Number(options.asks) + 1 }, () =>
      milliseconds(() => {
        const { id, values } = study.ask();
        study.tell(id, score(values, normal()));
      }),
    );
    const [first] = times;
    const later = times.slice(1).toSorted((a, b) => a - b);
    const shown = [first!, quantile(later, 0.5), quantile(later, 0.95)].map(cell).join("");
    process.stdout.write(`${String(dimension).padStart(4)}${String(trials).padStart(6)} ${shown}\n`);
  }
}
