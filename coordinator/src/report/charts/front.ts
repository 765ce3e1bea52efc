// Chart: two tasks against each other, every trial a point; those that no other is believed to beat on every task stand out.
import type { SearchData } from "../report-data.ts";
import type { Chart } from "./svg.ts";
import { tone } from "./theme.ts";

const MAX_PAIRS = 6;

/** Pairs of tasks that are traded off, as many as are shown. */
export const pairsOf = (tasks: readonly string[]): (readonly [string, string])[] =>
  tasks.flatMap((x, index) => tasks.slice(index + 1).map((y) => [x, y] as const)).slice(0, MAX_PAIRS);

export function frontPanel({ trials, recommended, split }: SearchData, [x, y]: readonly [string, string]): Chart {
  const front = new Set(recommended.front);
  const points = trials.flatMap(({ id, scores, isRecommended }) => {
    const [a, b] = [scores.get(x), scores.get(y)];
    if (a === undefined || b === undefined) return [];
    const text = `${id}: ${(100 * a.value).toFixed(1)} % on ${x}, ${(100 * b.value).toFixed(1)} % on ${y}`;
    return [{ x: 100 * a.value, y: 100 * b.value, front: front.has(id), recommended: isRecommended, text }];
  });
  const encoding = {
    x: {
      field: "x",
      type: "quantitative",
      title: `${x}, %`,
      scale: { zero: false, nice: true },
      axis: { tickCount: 4 },
    },
    y: {
      field: "y",
      type: "quantitative",
      title: `${y}, %`,
      scale: { zero: false, nice: true },
      axis: { tickCount: 5 },
    },
  } as const;
  return {
    title: `${x} against ${y}`,
    description: `${split} accuracy of ${points.length} trials; ${front.size} are on the front.`,
    spec: {
      width: 190,
      height: 170,
      data: { values: points },
      encoding,
      layer: [
        {
          transform: [{ filter: "!datum.front" }],
          mark: { type: "point", filled: true, size: 26, opacity: 0.6, color: tone("other") },
          encoding: { description: { field: "text" } },
        },
        {
          transform: [{ filter: "datum.recommended" }],
          mark: {
            type: "point",
            aria: false,
            filled: false,
            shape: "circle",
            size: 190,
            strokeWidth: 2,
            color: tone("ink"),
          },
        },
        {
          transform: [{ filter: "datum.front" }],
          mark: { type: "point", filled: true, shape: "diamond", size: 60, opacity: 1, color: tone("accent") },
          encoding: { description: { field: "text" } },
        },
      ],
    },
  };
}
