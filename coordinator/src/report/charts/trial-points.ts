// What the charts of trials have in common: the scores of a trial, the marks for its error and its origin.

import { scaleOf } from "@amalgam/runtime";
import type { LayerSpec } from "vega-lite/types_unstable/spec/layer.js";
import { coefficient, type Estimate, withUnit } from "../numbers.ts";
import type { Trial } from "../report-data.ts";
import { originColour, originShape, originsOf, tone } from "./theme.ts";

/** One mark; the field names are ours, never a recipe's. */
export interface Point {
  readonly trial: number;
  readonly x: number;
  readonly value: number;
  readonly low: number;
  readonly high: number;
  readonly origin: string;
  readonly recommended: boolean;
  readonly text: string;
}

export function point(trial: Trial, x: number, estimate: Estimate): Point {
  const { value, standardError, metric } = estimate;
  const { factor } = scaleOf(metric);
  return {
    trial: trial.number,
    x,
    value: factor * value,
    low: factor * (value - standardError),
    high: factor * (value + standardError),
    origin: trial.origin,
    recommended: trial.isRecommended,
    text: `${trial.id}: ${withUnit(estimate)} (${trial.origin})`,
  };
}

export const withCoefficients = (points: readonly Point[], trials: readonly Trial[]): Point[] =>
  points.map((each) => {
    const settings = Object.entries(trials[each.trial]!.coefficients);
    return {
      ...each,
      text: [each.text, ...settings.map(([name, value]) => `${name} = ${coefficient(value)}`)].join("\n"),
    };
  });

/** Layers: error bars, points by origin, a ring around the recommended one. */
export function pointLayers(
  trials: readonly Trial[],
  size: number,
  legend: { readonly labelExpr: string } | null,
): LayerSpec<string>["layer"] {
  const domain = originsOf(trials);
  const y = { field: "value", type: "quantitative" } as const;
  return [
    {
      mark: { type: "rule", aria: false, strokeWidth: 1.2, opacity: 0.45 },
      encoding: {
        y: { field: "low", type: "quantitative" },
        y2: { field: "high" },
        color: { field: "origin", type: "nominal", scale: { domain, range: domain.map(originColour) }, legend },
      },
    },
    {
      transform: [{ filter: "datum.recommended" }],
      mark: { type: "point", aria: false, filled: false, shape: "circle", size: size * 5, strokeWidth: 2, opacity: 1 },
      encoding: { y, color: { value: tone("ink") } },
    },
    {
      mark: { type: "point", filled: true, size, opacity: 1 },
      encoding: {
        y,
        color: { field: "origin", type: "nominal", scale: { domain, range: domain.map(originColour) }, legend },
        shape: { field: "origin", type: "nominal", scale: { domain, range: domain.map(originShape) }, legend },
        description: { field: "text" },
      },
    },
  ];
}
