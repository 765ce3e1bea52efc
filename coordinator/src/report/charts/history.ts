// Chart: the objective of every trial with its error, the best so far, failures, and the recommended trial.
import { scaleOf } from "@amalgam/runtime";
import type { LayerSpec } from "vega-lite/types_unstable/spec/layer.js";
import type { SearchData, Trial } from "../report-data.ts";
import type { Chart } from "./svg.ts";
import { originLabel, originsOf, tone } from "./theme.ts";
import { type Point, point, pointLayers, withCoefficients } from "./trial-points.ts";

/** Failed trials. */
const CROSS = "M-1,-.7L-.7,-1L0,-.3L.7,-1L1,-.7L.3,0L1,.7L.7,1L0,.3L-.7,1L-1,.7L-.3,0Z";

export interface HistoryOptions {
  /** Puts title and legend into the picture, for a picture that stands alone. */
  readonly standalone: boolean;
}

export function historyChart(data: SearchData, { standalone }: HistoryOptions): Chart {
  const { trials, split, tasks } = data;
  const { factor } = scaleOf(data.metric);
  const scored = trials.flatMap((trial) =>
    trial.objective === undefined ? [] : [point(trial, trial.number, trial.objective)],
  );
  const measured = withCoefficients(scored, trials);
  const floor = Math.min(...measured.map(({ low }) => low));
  const failed = trials
    .filter(({ problem }) => problem !== "")
    .map(({ number, id, problem }) => ({ x: number, value: floor, text: `${id} failed: ${problem}` }));
  const last = trials.length - 1;
  const measure = `${tasks.length === 1 ? "" : "mean "}${split} ${scaleOf(data.metric).axis}`;
  const layer: LayerSpec<string>["layer"] = [
    ...believedLayers(trials, factor),
    {
      data: { values: bestSoFar(scored, last) },
      mark: { type: "line", aria: false, interpolate: "step-after", color: tone("soft"), strokeWidth: 1.5 },
      encoding: { y: { field: "value", type: "quantitative" } },
    },
    ...pointLayers(trials, 55, standalone ? { labelExpr: labelExpression(originsOf(trials)) } : null),
    {
      data: { values: failed },
      mark: { type: "point", shape: CROSS, filled: true, size: 90, opacity: 1, color: tone("bad") },
      encoding: { y: { field: "value", type: "quantitative" }, description: { field: "text" } },
    },
    {
      transform: [{ filter: "datum.recommended" }],
      mark: { type: "text", text: "recommended", dy: -18, fontSize: 11, color: tone("ink"), aria: false },
      encoding: { y: { field: "high", type: "quantitative" } },
    },
  ];
  return {
    title: `Objective of ${trials.length} trials`,
    description: describe(data, scored),
    spec: {
      width: 860,
      height: 300,
      ...(standalone
        ? {
            title: {
              text: `Search of ${data.coefficientNames.length} coefficients in ${trials.length} trials`,
              subtitle: "± one standard error; the line is the best so far, the ring is the recommended trial",
              anchor: "start",
              color: tone("ink"),
              subtitleColor: tone("soft"),
              fontSize: 14,
              offset: 8,
            },
          }
        : {}),
      data: { values: measured },
      encoding: {
        x: {
          field: "x",
          type: "quantitative",
          title: "trial",
          scale: { domain: [-0.5, last + 0.5], nice: false },
          axis: { grid: false, tickMinStep: 1, format: "d" },
        },
        y: { type: "quantitative", title: measure, scale: { zero: false, nice: true } },
      },
      layer,
    },
  };
}

/** What was believed of the best trial as each one was proposed, in its band of 95 %. */
function believedLayers(trials: readonly Trial[], factor: number): LayerSpec<string>["layer"] {
  const values = trials.flatMap(({ number, leader }) => {
    return leader === undefined
      ? []
      : [{ x: number, value: factor * leader.mean, low: factor * leader.low, high: factor * leader.high }];
  });
  if (values.length < 2) return [];
  return [
    {
      data: { values },
      mark: { type: "area", aria: false, color: tone("accent"), opacity: 0.13 },
      encoding: { y: { field: "low", type: "quantitative" }, y2: { field: "high" } },
    },
    {
      data: { values },
      mark: { type: "line", aria: false, color: tone("accent"), opacity: 0.7, strokeWidth: 1.5 },
      encoding: { y: { field: "value", type: "quantitative" } },
    },
  ];
}

/** The running best, drawn from its first trial to the end. */
function bestSoFar(points: readonly Point[], last: number): { x: number; value: number }[] {
  const steps: { x: number; value: number }[] = [];
  for (const { x, value } of points) {
    if (steps.length === 0 || value > steps.at(-1)!.value) steps.push({ x, value });
  }
  if (steps.length > 0) steps.push({ x: last + 0.5, value: steps.at(-1)!.value });
  return steps;
}

/** Legend labels. Unknown origins keep their names: only known ones are written into the expression. */
function labelExpression(origins: readonly string[]): string {
  const labels = Object.fromEntries(origins.map((origin) => [origin, originLabel(origin)]));
  return `${JSON.stringify(labels)}[datum.label]`;
}

function describe({ trials, recommended, metric }: SearchData, scored: readonly Point[]): string {
  const best = scored.reduce<Point | undefined>((a, b) => (a === undefined || b.value > a.value ? b : a), undefined);
  const { shown, unit, factor } = scaleOf(metric);
  const text = best === undefined ? "" : `${shown(best.value / factor)}${unit}`;
  const highest = best === undefined ? "" : ` The highest measured objective is ${text}.`;
  const failures = trials.filter(({ problem }) => problem !== "").length;
  return `${scored.length} trials have an objective, ${failures} failed.${highest} The recommended trial is ${recommended.candidateId}.`;
}
