// The report's tables: the final comparison, the coefficients found, the leaders, every trial.

import { scaleOf } from "@amalgam/runtime";
import type { Belief } from "../job/events.ts";
import { tone } from "./charts/theme.ts";
import { type Content, html, Markup } from "./html.ts";
import {
  coefficient,
  type Estimate,
  shown,
  shownError,
  signedWithError,
  sizeWithError,
  typographic,
} from "./numbers.ts";
import type { ReportData, Row, RowKind, SearchData, Trial } from "./report-data.ts";

const KIND_LABELS: Readonly<Record<RowKind, string>> = {
  base: "unmerged",
  expert: "expert",
  fixed: "fixed method",
  searched: "published",
};

const cell = (estimate: Estimate): Markup =>
  html`${shown(estimate)} <span class="error">±${shownError(estimate)}</span>`;

/** What a table's numbers are: the metric where it is one, else that of each task. */
function measured({ metric, tasks }: SearchData, rows: readonly Pick<Row, "scores">[], split: string): string {
  const { quantity, unit } = scaleOf(metric);
  const where = `on the ${split} split${unit === " %" ? " in percent" : ""} ± one standard error`;
  if (metric !== "") return `${quantity.replace(/^./, (letter) => letter.toUpperCase())} ${where}`;
  const of = (task: string): string => rows.find(({ scores }) => scores.has(task))?.scores.get(task)?.metric ?? "";
  return `Scores (${tasks.map((task) => `${task}: ${scaleOf(of(task)).title}`).join("; ")}) ${where}`;
}

/** Score of every model on every task; the best of each column is bold. */
export function scoreTable(data: ReportData): Markup {
  const { rows, tasks, finalSplit } = data;
  const highest = (values: readonly (Estimate | undefined)[]): number =>
    Math.max(...values.flatMap((each) => (each ? [each.value] : [])));
  const best = new Map(tasks.map((task) => [task, highest(rows.map(({ scores }) => scores.get(task)))]));
  const bestMean = highest(rows.map(({ mean }) => mean));
  const score = (estimate: Estimate | undefined, top: number | undefined): Markup => {
    if (estimate === undefined) return html`<td>–</td>`;
    return estimate.value === top ? html`<td class="best">${cell(estimate)}</td>` : html`<td>${cell(estimate)}</td>`;
  };
  const withMean = tasks.length > 1;
  const withPublished = rows.some(({ published }) => published !== undefined);
  const change = ({ published }: Row): Content =>
    withPublished ? html`<td>${published ? signedWithError(published) : ""}</td>` : "";
  const line = (row: Row, index: number): Markup => {
    const isNewKind = index > 0 && rows[index - 1]!.kind !== row.kind;
    const classes = `${isNewKind ? "group" : ""} ${row.kind === "searched" ? "chosen" : ""}`.trim();
    const head = html`<th scope="row" title="${row.name}">${row.name} <small>${KIND_LABELS[row.kind]}</small></th>`;
    const body =
      row.mean === undefined
        ? html`<td class="problem" colspan="${tasks.length + (withMean ? 1 : 0) + (withPublished ? 1 : 0)}">failed: ${row.problem}</td>`
        : [
            tasks.map((task) => score(row.scores.get(task), best.get(task))),
            withMean ? score(row.mean, bestMean) : "",
            change(row),
          ];
    return html`<tr class="${classes}">${head}${body}</tr>\n`;
  };
  return html`<div class="wide"><table>
    <caption>${measured(data, rows, finalSplit)}; bold is the best of its column.${withPublished ? ` The last column is${inUnits(data)} of the same items.` : ""}</caption>
    <thead><tr><th scope="col">model</th>${headers(tasks)}${withMean ? headers(["mean"]) : ""}${withPublished ? headers(["published − this"]) : ""}</tr></thead>
    <tbody>${rows.map(line)}</tbody></table></div>`;
}

/** Of a difference: ` in points,`. */
const inUnits = ({ metric }: SearchData): string => {
  const { differenceUnit } = scaleOf(metric);
  return differenceUnit === "" ? "" : ` in${differenceUnit},`;
};

const headers = (names: readonly string[]): Markup[] => names.map((name) => html`<th scope="col">${name}</th>`);

/** Every coefficient with its place among the values that were tried. */
export function coefficientTable({ coefficientNames, trials, recommended }: SearchData): Markup {
  const line = (name: string): Markup => {
    const found = recommended.coefficients[name]!;
    const tried = trials.map(({ coefficients }) => coefficients[name] ?? found);
    const low = Math.min(found, ...tried);
    const high = Math.max(found, ...tried);
    return html`<tr><th scope="row" title="${name}">${name}</th><td><b>${coefficient(found)}</b></td>
      <td>${coefficient(low)} to ${coefficient(high)}</td><td>${strip(tried, found, low, high)}</td></tr>\n`;
  };
  return html`<div class="wide"><table>
    <caption>The coefficients of the published model, and the values tried for each.</caption>
    <thead><tr>${headers(["coefficient", "found", "tried", "place of the found value"])}</tr></thead>
    <tbody>${coefficientNames.map(line)}</tbody></table></div>`;
}

/** A line from the lowest to the highest value tried, a tick for each trial, a diamond for the found value. */
function strip(tried: readonly number[], found: number, low: number, high: number): Markup {
  const at = (value: number): string => (high > low ? 8 + (164 * (value - low)) / (high - low) : 90).toFixed(1);
  const ticks = tried.map((value) => `M${at(value)} 4.5v7`).join("");
  const x = at(found);
  return new Markup(
    `<svg class="strip" viewBox="0 0 180 16" aria-hidden="true"><path d="M8 8H172${ticks}" stroke="${tone("soft")}" stroke-opacity=".5"/>` +
      `<path d="M${x} 1l5 7l-5 7l-5-7z" fill="${tone("accent")}"/></svg>`,
  );
}

/** Everything that was tried, failures included. */
export function trialTable(data: SearchData): Markup {
  const { trials, tasks, coefficientNames } = data;
  const settings = (trial: Trial): Content =>
    coefficientNames.map((name) => {
      const value = trial.coefficients[name];
      return html`<td>${value === undefined ? "–" : coefficient(value)}</td>`;
    });
  const scores = (trial: Trial): Content => {
    const { objective, lostRace } = trial;
    if (objective === undefined) {
      return html`<td class="problem" colspan="${tasks.length + 1}">${trial.problem === "" ? "not scored" : `failed: ${trial.problem}`}</td>`;
    }
    const given =
      lostRace &&
      html`<br><small title="given up: ${scaleOf(lostRace.difference.metric).side(lostRace.difference.value)} ${lostRace.against} by ${sizeWithError(lostRace.difference)} on the same items">${trial.items} items</small>`;
    const cells = tasks.map((task) => {
      const score = trial.scores.get(task);
      if (score === undefined) return html`<td>–</td>`;
      return trial.unmet.includes(task)
        ? html`<td class="unmet" title="below its bound">${cell(score)}</td>`
        : html`<td>${cell(score)}</td>`;
    });
    return [html`<td>${cell(objective)}${given}</td>`, ...cells];
  };
  const line = (trial: Trial): Markup =>
    html`<tr class="${trial.isRecommended ? "chosen" : ""}"><th scope="row">${trial.id}${trial.isRecommended ? " (recommended)" : ""}</th>
      <td class="text">${[trial.origin, trial.stage].filter((word) => word !== "").join(", ")}</td>${scores(trial)}${settings(trial)}</tr>\n`;
  return html`<div class="wide"><table>
    <caption>${measured(data, trials, data.split)}.</caption>
    <thead><tr>${headers(["trial"])}<th scope="col" class="text">origin</th>${headers(["objective", ...tasks, ...coefficientNames])}</tr></thead>
    <tbody>${trials.map(line)}</tbody></table></div>`;
}

/** The trials that are believed to be best, with the chance of each to be it, and to keep the constraints where there are any. */
export function leaderTable({ recommended, trials, metric }: SearchData): Markup {
  const interval = (low: number, high: number): string => typographic(scaleOf(metric).interval(low, high));
  const measured = new Map(trials.map(({ id, objective }) => [id, objective]));
  const leaders = [recommended, ...(recommended.runnersUp ?? [])];
  const bounded = leaders.some(({ probabilityFeasible }) => probabilityFeasible !== undefined);
  const chanceCell = (probability: number | undefined): Markup =>
    html`<td>${probability === undefined ? "–" : chance(probability)}</td>`;
  const line = (belief: Belief, rank: number): Markup => {
    const { candidateId, mean, standardDeviation, credibleInterval, probabilityBest, probabilityFeasible } = belief;
    const score = measured.get(candidateId);
    const [low, high] = credibleInterval ?? [mean - standardDeviation, mean + standardDeviation];
    return html`<tr class="${rank === 0 ? "chosen" : ""}"><th scope="row">${candidateId}${rank === 0 ? " (recommended)" : ""}</th>
      <td>${cell({ metric, value: mean, standardError: standardDeviation })}</td><td>${interval(low, high)}</td>
      ${chanceCell(probabilityBest)}${bounded ? chanceCell(probabilityFeasible) : ""}<td>${score ? cell(score) : "–"}</td></tr>\n`;
  };
  const columns = ["trial", "believed objective", "95 % interval", "chance to be the best"];
  return html`<div class="wide"><table>
    <caption>The trials that are believed to be best: ${scaleOf(metric).title}.</caption>
    <thead><tr>${headers([...columns, ...(bounded ? ["chance to keep the constraints"] : []), "measured"])}</tr></thead>
    <tbody>${leaders.map(line)}</tbody></table></div>`;
}

function chance(probability: number): Markup {
  const bar = `<svg class="chance" viewBox="0 0 80 8" aria-hidden="true"><path d="M0 1h80v6h-80z" fill="${tone("grid")}"/><path d="M0 1h${(80 * probability).toFixed(1)}v6h-${(80 * probability).toFixed(1)}z" fill="${tone("accent")}"/></svg>`;
  return html`${new Markup(bar)} ${Math.round(100 * probability)} %`;
}
