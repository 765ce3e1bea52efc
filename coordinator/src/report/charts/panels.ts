// Small charts that share their form: one task over the trials, one coefficient against the objective. The caption stands on the page.
import { scaleOf } from "@amalgam/runtime";
import { withUnit } from "../numbers.ts";
import type { SearchData } from "../report-data.ts";
import type { Chart } from "./svg.ts";
import { type Point, point, pointLayers } from "./trial-points.ts";

interface Axis {
  readonly title: string;
  readonly domain?: [number, number];
  readonly whole: boolean;
}

function panel(data: SearchData, points: readonly Point[], yTitle: string, x: Axis): Chart["spec"] {
  return {
    width: 190,
    height: 140,
    data: { values: [...points] },
    encoding: {
      x: {
        field: "x",
        type: "quantitative",
        title: x.title,
        scale: { zero: false, ...(x.domain ? { domain: x.domain, nice: false } : { nice: true }) },
        axis: { grid: false, tickCount: 4, ...(x.whole ? { tickMinStep: 1, format: "d" } : {}) },
      },
      y: {
        type: "quantitative",
        title: yTitle,
        scale: { zero: false, nice: true },
        axis: { tickCount: 5 },
      },
    },
    layer: pointLayers(data.trials, 30, null),
  };
}

/** Score on one task over the trials. */
export function taskPanel(data: SearchData, task: string): Chart {
  const points = data.trials.flatMap((trial) => {
    const score = trial.scores.get(task);
    return score === undefined ? [] : [point(trial, trial.number, score)];
  });
  const chosen = data.trials.find(({ isRecommended }) => isRecommended)?.scores.get(task);
  const metric = data.trials.find(({ scores }) => scores.has(task))?.scores.get(task)?.metric ?? data.metric;
  const { name, axis } = scaleOf(metric);
  const value = chosen === undefined ? "" : ` The recommended trial has ${withUnit(chosen)}.`;
  return {
    title: `${task}: ${name} over the trials`,
    description: `${data.split} ${name} of ${points.length} trials on ${task}.${value}`,
    spec: panel(data, points, axis, {
      title: "trial",
      domain: [-0.5, data.trials.length - 0.5],
      whole: true,
    }),
  };
}

/** The objective's axis. */
const objectiveAxis = ({ metric }: SearchData): string => {
  const { unit, axis } = scaleOf(metric);
  return unit === " %" ? "objective, %" : axis;
};

/** One coefficient against the objective. */
export function coefficientPanel(data: SearchData, name: string): Chart {
  const points = data.trials.flatMap((trial) => {
    const value = trial.coefficients[name];
    return value === undefined || trial.objective === undefined ? [] : [point(trial, value, trial.objective)];
  });
  return {
    title: `${name} against the objective`,
    description: `The objective of ${points.length} trials over their values of ${name}. Found: ${data.recommended.coefficients[name]}.`,
    spec: panel(data, points, objectiveAxis(data), { title: "value", whole: false }),
  };
}
