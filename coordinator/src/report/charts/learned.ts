// Charts of what the model of a search has learned: which coefficients matter, the score along each, and whether to believe it.

import type { Calibration, Importance } from "@amalgam/optimizer";
import { scaleOf } from "@amalgam/runtime";
import type { Slice } from "../analysis.ts";
import { coefficient, percent, shown, withUnit } from "../numbers.ts";
import type { Chart } from "./svg.ts";
import { tone } from "./theme.ts";

const MAX_BARS = 24;

/** Share of the score's variation by coefficient, with its 95 % interval, the largest first. */
export function importanceChart(importance: Readonly<Record<string, Importance>>): Chart {
  const bars = Object.entries(importance)
    .map(
      ([
        name,
        {
          share,
          credibleInterval: [low, high],
        },
      ]) => ({
        name,
        share: 100 * share,
        low: 100 * low,
        high: 100 * high,
        text: `${name}: ${percent(share)} %, 95 % from ${percent(low)} to ${percent(high)}`,
      }),
    )
    .toSorted((a, b) => b.share - a.share)
    .slice(0, MAX_BARS);
  const y = {
    field: "name",
    type: "nominal",
    sort: null,
    title: null,
    axis: { domain: false, ticks: false, labelLimit: 240 },
  } as const;
  return {
    title: "Importance of the coefficients",
    description: bars.map(({ text }) => text).join("; "),
    spec: {
      width: 560,
      height: { step: 24 },
      data: { values: bars },
      encoding: { y },
      layer: [
        {
          mark: { type: "bar", height: 12, color: tone("accent"), opacity: 0.75 },
          encoding: {
            x: {
              field: "share",
              type: "quantitative",
              title: "share of the score\u2019s variation, %",
              scale: { domainMin: 0 },
            },
            description: { field: "text" },
          },
        },
        {
          mark: { type: "rule", aria: false, color: tone("ink"), strokeWidth: 1.2 },
          encoding: { x: { field: "low", type: "quantitative" }, x2: { field: "high" } },
        },
      ],
    },
  };
}

/** The score that is believed along one coefficient, the others as recommended, in a band of 95 %. */
export function slicePanel({ name, points }: Slice, found: number, metric: string): Chart {
  const { factor, axis } = scaleOf(metric);
  const values = points.map(({ value, mean, credibleInterval: [low, high] }) => {
    return { x: Number(value), mean: factor * mean, low: factor * low, high: factor * high };
  });
  const text = (value: number): string => shown({ metric, value });
  return {
    title: `Believed objective along ${name}`,
    description: `From ${coefficient(values[0]!.x)} to ${coefficient(values.at(-1)!.x)} the believed objective goes from ${text(points[0]!.mean)} to ${text(points.at(-1)!.mean)}. Found: ${coefficient(found)}.`,
    spec: {
      width: 190,
      height: 140,
      data: { values },
      encoding: {
        x: {
          field: "x",
          type: "quantitative",
          title: "value",
          scale: { zero: false, nice: false },
          axis: { grid: false, tickCount: 4 },
        },
      },
      layer: [
        {
          mark: { type: "area", aria: false, color: tone("accent"), opacity: 0.18 },
          encoding: {
            y: {
              field: "low",
              type: "quantitative",
              title: axis,
              scale: { zero: false, nice: true },
              axis: { tickCount: 5 },
            },
            y2: { field: "high" },
          },
        },
        {
          mark: { type: "line", aria: false, color: tone("accent"), strokeWidth: 1.8 },
          encoding: { y: { field: "mean", type: "quantitative" } },
        },
        {
          data: { values: [{ x: found }] },
          mark: { type: "rule", aria: false, color: tone("soft"), strokeDash: [3, 3] },
        },
      ],
    },
  };
}

/** Every trial's score beside what the other trials say of it. */
export function calibrationChart({ trials, coverage }: Calibration, metric: string): Chart {
  const { factor, axis } = scaleOf(metric);
  const points = trials.map(({ id, observed, mean, standardDeviation, residual }) => ({
    x: factor * mean,
    y: factor * observed,
    low: factor * (mean - 1.96 * standardDeviation),
    high: factor * (mean + 1.96 * standardDeviation),
    outside: Math.abs(residual) > 1.96,
    text: `trial ${id}: ${shown({ metric, value: observed })}, expected ${withUnit({ metric, value: mean, standardError: standardDeviation })}`,
  }));
  const all = points.flatMap(({ x, y }) => [x, y]);
  const diagonal = [Math.min(...all), Math.max(...all)].map((value) => ({ x: value, y: value }));
  return {
    title: "Every trial, predicted from all others",
    description: `${Math.round(100 * coverage)} % of ${trials.length} trials lie within the 95 % that the others predict.`,
    spec: {
      width: 560,
      height: 260,
      data: { values: points },
      encoding: {
        x: { type: "quantitative", title: `expected objective: ${axis}`, scale: { zero: false, nice: true } },
        y: { type: "quantitative", title: `measured objective: ${axis}`, scale: { zero: false, nice: true } },
      },
      layer: [
        {
          data: { values: diagonal },
          mark: { type: "line", aria: false, color: tone("soft"), strokeDash: [4, 4], strokeWidth: 1.2 },
          encoding: { x: { field: "x" }, y: { field: "y" } },
        },
        {
          mark: { type: "rule", aria: false, opacity: 0.35, strokeWidth: 1.2, color: tone("accent") },
          encoding: { x: { field: "low" }, x2: { field: "high" }, y: { field: "y" } },
        },
        {
          mark: { type: "point", filled: true, size: 45, opacity: 1 },
          encoding: {
            x: { field: "x" },
            y: { field: "y" },
            color: { condition: { test: "datum.outside", value: tone("bad") }, value: tone("accent") },
            description: { field: "text" },
          },
        },
      ],
    },
  };
}
