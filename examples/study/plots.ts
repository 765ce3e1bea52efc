// The pictures: test scores of all methods, and the best validation score so far.
import type { Chart } from "../../coordinator/src/report/charts/svg.ts";
import { tone } from "../../coordinator/src/report/charts/theme.ts";
import { bestSoFar, type Group, meanOf } from "./statistics.ts";

const percent = (value: number): number => 100 * value;

/** A row for each method: its mean test score over seeds with one standard error, and every seed. */
export function methodsChart(groups: readonly Group[]): Chart {
  const order = groups.map(({ entry }) => entry);
  const means = groups.map(({ entry, rows }) => {
    const { value, standardError } = meanOf(rows.map(({ mean }) => mean));
    const error = Number.isNaN(standardError) ? 0 : standardError;
    return { entry, value: percent(value), low: percent(value - error), high: percent(value + error) };
  });
  const seeds = groups.flatMap(({ entry, rows }) => rows.map(({ mean }) => ({ entry, value: percent(mean) })));
  const axis = { labelLimit: 400, labelColor: tone("ink"), labelFontSize: 12 } as const;
  const y = { field: "entry", type: "nominal", sort: order, title: null, axis } as const;
  const x = { type: "quantitative", title: "mean test accuracy, %", scale: { zero: false, nice: true } } as const;
  const own = { condition: { test: "datum.entry == 'DF-Merge'", value: tone("accent") }, value: tone("soft") } as const;
  return {
    title: "Mean test accuracy of merging methods",
    description: means.map(({ entry, value }) => `${entry} ${value.toFixed(1)} %`).join(", "),
    spec: {
      width: 560,
      height: { step: 24 },
      title: {
        text: `Mean test accuracy over ${Math.max(...groups.map(({ rows }) => rows.length))} seeds`,
        subtitle: "± one standard error over seeds; small circles are the seeds",
        anchor: "start",
        color: tone("ink"),
        subtitleColor: tone("soft"),
        fontSize: 14,
        offset: 8,
      },
      layer: [
        {
          data: { values: means },
          mark: { type: "rule", strokeWidth: 2, aria: false },
          encoding: { y, x: { ...x, field: "low" }, x2: { field: "high" }, color: own },
        },
        {
          data: { values: seeds },
          mark: { type: "point", size: 22, aria: false },
          encoding: { y, x: { ...x, field: "value" }, color: own },
        },
        {
          data: { values: means },
          mark: { type: "point", filled: true, opacity: 1, size: 80, shape: "diamond", aria: false },
          encoding: { y, x: { ...x, field: "value" }, color: own },
        },
      ],
    },
  };
}

/** The best validation score so far, mean over seeds, for each search. */
export function trialsChart(groups: readonly Group[]): Chart {
  const searched = groups.filter(({ rows }) => rows.every(({ curve }) => curve !== undefined));
  const values = searched.flatMap(({ entry, rows }) => {
    const curves = rows.map(({ curve }) => bestSoFar(curve!));
    const length = Math.min(...curves.map((curve) => curve.length));
    return Array.from({ length }, (_, trial) => {
      const { value, standardError } = meanOf(curves.map((curve) => curve[trial]!));
      const error = Number.isNaN(standardError) ? 0 : standardError;
      return {
        entry,
        trial: trial + 1,
        value: percent(value),
        low: percent(value - error),
        high: percent(value + error),
      };
    });
  });
  const order = searched.map(({ entry }) => entry);
  const colour = {
    field: "entry",
    type: "nominal",
    sort: order,
    legend: { labelLimit: 400 },
    scale: { domain: order, range: [tone("accent"), tone("sobol"), tone("line"), tone("soft")] },
  } as const;
  const x = {
    field: "trial",
    type: "quantitative",
    title: "trials",
    scale: { zero: false, nice: false },
    axis: { grid: false, tickMinStep: 1 },
  } as const;
  const y = { type: "quantitative", title: "mean validation accuracy, %", scale: { zero: false, nice: true } } as const;
  return {
    title: "Best validation accuracy so far",
    description: searched
      .map(({ entry }) => `${entry} ${values.findLast((value) => value.entry === entry)!.value.toFixed(1)} %`)
      .join(", "),
    spec: {
      width: 640,
      height: 300,
      data: { values },
      title: {
        text: "Best validation accuracy so far",
        subtitle: "mean over seeds, bands are one standard error",
        anchor: "start",
        color: tone("ink"),
        subtitleColor: tone("soft"),
        fontSize: 14,
        offset: 8,
      },
      layer: [
        {
          mark: { type: "area", opacity: 0.15, interpolate: "step-after", aria: false },
          encoding: { x, y: { ...y, field: "low" }, y2: { field: "high" }, color: colour },
        },
        {
          mark: { type: "line", strokeWidth: 2, interpolate: "step-after", aria: false },
          encoding: {
            x,
            y: { ...y, field: "value" },
            color: colour,
            strokeDash: { field: "entry", type: "nominal", sort: order },
          },
        },
      ],
    },
  };
}
