// Chart: two tasks against each other, every trial a point; those that no other is believed to beat on every task stand out.
import { scaleOf } from "@amalgam/runtime";
import { shown } from "../numbers.ts";
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
    const text = `${id}: ${shown(a)}${scaleOf(a.metric).unit} on ${x}, ${shown(b)}${scaleOf(b.metric).unit} on ${y}`;
    const place = { x: scaleOf(a.metric).factor * a.value, y: scaleOf(b.metric).factor * b.value };
    return [{ ...place, front: front.has(id), recommended: isRecommended, text }];
  });
  const axisOf = (task: string): string =>
    scaleOf(trials.find(({ scores }) => scores.has(task))?.scores.get(task)?.metric ?? "").axis;
  const encoding = {
    x: {
      field: "x",
      type: "quantitative",
      title: `${x}: ${axisOf(x)}`,
      scale: { zero: false, nice: true },
      axis: { tickCount: 4 },
    },
    y: {
      field: "y",
      type: "quantitative",
      title: `${y}: ${axisOf(y)}`,
      scale: { zero: false, nice: true },
      axis: { tickCount: 5 },
    },
  } as const;
  return {
    title: `${x} against ${y}`,
    description: `${split} scores of ${points.length} trials; ${front.size} are on the front.`,
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
