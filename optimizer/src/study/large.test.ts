// Studies of a size where a plain Gaussian process would take minutes and gigabytes.

import { expect, test } from "vitest";
import { createStudy, replay, type Study, type Values } from "../index.ts";
import { createStream, purposes } from "../numerics/rng.ts";

/** A smooth score with its optimum at 0.4 and some noise, told for `trials` random points. */
function told(dimension: number, trials: number): Study {
  const dimensions = Array.from(
    { length: dimension },
    (_, k) => ({ name: `x${k}`, kind: "float", low: 0, high: 1 }) as const,
  );
  const study = createStudy({ dimensions, seed: 11 });
  const stream = createStream(12, dimension, purposes.start);
  for (let k = 0; k < trials; k++) {
    const point: Values = Object.fromEntries(dimensions.map(({ name }) => [name, stream.uniform()]));
    study.addObservation(point, { values: [scoreOf(point) + 0.01 * stream.normal()], standardErrors: [0.01] });
  }
  return study;
}

const scoreOf = (point: Values): number =>
  Math.exp(-Object.values(point).reduce((sum: number, x, k) => sum + ((Number(x) - 0.4) * 1.3 ** -k) ** 2, 0));

test.each([
  { name: "2,000 trials", dimension: 4, trials: 2000, least: 0.9 },
  { name: "200 dimensions", dimension: 200, trials: 60, least: 0 },
])("$name: proposals lie in the box, differ, go where the score is high, and are the same after a restart", (size) => {
  const study = told(size.dimension, size.trials);
  const first = study.ask();
  study.tell(first.id, { values: [scoreOf(first.values)], standardErrors: [0.01] });
  const until = study.events.length;
  const second = study.ask();
  for (const { values, origin } of [first, second]) {
    expect(origin).toBe("model");
    for (const x of Object.values(values)) expect(Number(x) >= 0 && Number(x) <= 1).toBe(true);
    expect(scoreOf(values)).toBeGreaterThan(size.least);
  }
  expect(second.values).not.toEqual(first.values);
  // The study at hand continues factors and remembers a fit; the restarted one has neither.
  expect(replay(study.spec, study.events.slice(0, until)).ask()).toEqual(second);
});
