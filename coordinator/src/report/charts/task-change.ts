// Chart: each task in a row; the searched model among the base, the experts and the fixed methods, and what it gained or lost.

import { scaleOf } from "@amalgam/runtime";
import type { LayerSpec } from "vega-lite/types_unstable/spec/layer.js";
import { difference, type Estimate, isNoise, signedWithError, withUnit } from "../numbers.ts";
import type { ReportData, Row } from "../report-data.ts";
import type { Chart } from "./svg.ts";
import { tone } from "./theme.ts";

const WIDTH = 600;
const ROLES = ["base", "other experts", "best expert", "fixed methods", "searched"];
const TICK = "M-.14,-.75H.14V.75H-.14Z";
const SHAPES = ["circle", TICK, "square", TICK, "diamond"];
const COLOURS = ["soft", "soft", "line", "sobol", "accent"].map(tone);

export interface TaskChange {
  readonly task: string;
  readonly searched: Estimate;
  readonly base: Estimate | undefined;
  /** The expert that scores best on the task: the one made for it, as a rule. */
  readonly expert: { readonly name: string; readonly score: Estimate } | undefined;
}

/** Tasks on which the searched model has a score. */
function taskChanges({ tasks, rows, searched }: ReportData): TaskChange[] {
  const base = rows.find(({ kind }) => kind === "base");
  return tasks.flatMap((task) => {
    const own = searched.scores.get(task);
    if (own === undefined) return [];
    let expert: TaskChange["expert"];
    for (const { kind, name, scores } of rows) {
      const score = scores.get(task);
      if (kind !== "expert" || score === undefined) continue;
      if (expert === undefined || score.value > expert.score.value) expert = { name, score };
    }
    return [{ task, searched: own, base: base?.scores.get(task), expert }];
  });
}

export function taskChangeChart(data: ReportData): Chart {
  const changes = taskChanges(data);
  const { factor, axis } = scaleOf(data.metric);
  const marks = changes.flatMap((change) =>
    data.rows.flatMap((row) => {
      const score = row.scores.get(change.task);
      if (score === undefined) return [];
      const { value, standardError } = score;
      return [
        {
          task: change.task,
          value: factor * value,
          low: factor * (value - standardError),
          high: factor * (value + standardError),
          role: roleOf(row, change),
          text: `${row.name} on ${change.task}: ${withUnit(score)}`,
        },
      ];
    }),
  );
  const spans = changes.flatMap(({ task, base, expert }) =>
    base && expert ? [{ task, value: factor * base.value, to: factor * expert.score.value }] : [],
  );
  const notes = changes.map((change) => ({ task: change.task, text: note(change), isLoss: isLoss(change) }));
  const present = ROLES.filter((role) => marks.some((mark) => mark.role === role));
  const ofPresent = (values: readonly string[]): string[] => present.map((role) => values[ROLES.indexOf(role)]!);
  const color = {
    field: "role",
    type: "nominal",
    scale: { domain: present, range: ofPresent(COLOURS) },
    legend: {},
  } as const;
  return {
    title: "What the searched model gains and loses on each task",
    description: changes
      .map((change) => `${change.task}: ${withUnit(change.searched)}, ${note(change) || "nothing to compare with"}`)
      .join(". "),
    spec: {
      width: WIDTH,
      height: { step: 44 },
      data: { values: marks },
      encoding: {
        y: {
          field: "task",
          type: "nominal",
          title: null,
          scale: { domain: changes.map(({ task }) => task) },
          axis: {
            labelLimit: 180,
            labelFontSize: 12,
            labelColor: tone("ink"),
            ticks: false,
            domain: false,
            labelPadding: 8,
          },
        },
      },
      layer: [
        {
          data: { values: spans },
          mark: { type: "rule", aria: false, strokeWidth: 6, strokeCap: "round", color: tone("edge") },
          encoding: { x: { field: "value", type: "quantitative" }, x2: { field: "to" } },
        },
        {
          transform: [{ filter: "datum.role === 'searched'" }],
          mark: { type: "rule", aria: false, strokeWidth: 1.5, color: tone("accent") },
          encoding: { x: { field: "low", type: "quantitative" }, x2: { field: "high" } },
        },
        {
          mark: { type: "point", filled: true, size: 100, opacity: 1 },
          encoding: {
            x: {
              field: "value",
              type: "quantitative",
              title: `${data.finalSplit} ${axis}`,
              scale: { zero: false, nice: true },
            },
            color,
            shape: { ...color, scale: { domain: present, range: ofPresent(SHAPES) } },
            description: { field: "text" },
          },
        },
        noteLayer(notes, false),
        noteLayer(notes, true),
      ],
    },
  };
}

function roleOf({ kind, name }: Row, { expert }: TaskChange): string {
  if (kind === "expert") return name === expert?.name ? "best expert" : "other experts";
  return kind === "fixed" ? "fixed methods" : kind;
}

/** `−1.2 ± 0.9 to sentiment, +14.1 ± 0.8 to the base`. */
function note({ searched, base, expert }: TaskChange): string {
  const parts: string[] = [];
  if (expert) parts.push(`${signedWithError(difference(searched, expert.score))} against ${shortened(expert.name)}`);
  if (base) parts.push(`${signedWithError(difference(searched, base))} against the base`);
  return parts.join("\n");
}

/** Vega would cut text by its estimate of the width, which is far too wide. */
const shortened = (name: string): string => (name.length > 28 ? `${name.slice(0, 27)}…` : name);

/** Text to the right of the plot, the losses in their own colour. */
function noteLayer(
  notes: readonly { readonly isLoss: boolean }[],
  losses: boolean,
): LayerSpec<string>["layer"][number] {
  return {
    data: { values: notes.filter(({ isLoss }) => isLoss === losses) },
    mark: {
      type: "text",
      aria: false,
      align: "left",
      fontSize: 12,
      lineBreak: "\n",
      color: tone(losses ? "bad" : "ink"),
    },
    encoding: { x: { value: WIDTH + 16 }, text: { field: "text" } },
  };
}

/** Whether the searched model is below the best expert of the task by more than noise. */
function isLoss({ searched, expert }: TaskChange): boolean {
  const change = expert && difference(searched, expert.score);
  return change !== undefined && change.value < 0 && !isNoise(change);
}
