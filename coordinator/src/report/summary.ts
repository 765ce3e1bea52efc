// What came out, in one sentence and four numbers; says so where a difference is within the noise.
import { scaleOf } from "@amalgam/runtime";
import { html, type Markup } from "./html.ts";
import { coefficient, difference, isNoise, signedWithError, sizeWithError, withError, withUnit } from "./numbers.ts";
import { bestRow, type ReportData, type Row } from "./report-data.ts";

/** Vectors longer than this are left to their table. */
const MAX_LISTED = 8;

export const plural = (count: number, noun: string): string => `${count} ${noun}${count === 1 ? "" : "s"}`;

export function summary(data: ReportData): Markup {
  const { method, models, trials, recommended, searched, finalSplit, tasks } = data;
  const names = data.coefficientNames;
  const vector = names.map((name) => `${name} = ${coefficient(recommended.coefficients[name]!)}`).join(", ");
  const found = names.length > MAX_LISTED ? plural(names.length, "coefficient") : vector;
  const where = tasks.length === 1 ? `on ${tasks[0]}` : `over ${tasks.length} tasks`;
  const score =
    searched.mean &&
    html`; its ${tasks.length === 1 ? "" : "mean "}${finalSplit} ${scaleOf(data.metric).quantity} ${where} is
      <b>${withUnit(searched.mean)}</b>${gain(data)}`;
  return html`<p class="lead">A <b>${method}</b> merge of ${plural(models, "model")} with the coefficients that
    ${plural(trials.length, "trial")} found (${found})${score}.</p>`;
}

function gain({ searched, rows }: ReportData): Markup | undefined {
  const reference = referenceRow(rows);
  if (reference === undefined || searched.mean === undefined) return undefined;
  const change = reference.published ?? difference(searched.mean, reference.mean);
  const size = sizeWithError(change);
  const side = scaleOf(change.metric).side(change.value);
  const what = html`${referenceKind(reference)} (${reference.name}, ${withUnit(reference.mean)})`;
  return isNoise(change)
    ? html`, ${size} ${side} ${what}: a difference within noise`
    : html`, <b>${size} ${side}</b> ${what}`;
}

/** What the search has to beat: the best fixed method, or, where none was compared, the best unmerged model. */
const referenceRow = (rows: readonly Row[]): ReturnType<typeof bestRow> =>
  bestRow(rows, ["fixed"]) ?? bestRow(rows, ["base", "expert"]);

const referenceKind = ({ kind }: Row): string => (kind === "fixed" ? "the best fixed method" : "the best single model");

export function tiles(data: ReportData): Markup {
  const { searched, trials, recommended, rows, finalSplit, split, metric } = data;
  const { unit, differenceUnit } = scaleOf(metric);
  const reference = referenceRow(rows);
  const change = searched.mean && reference && (reference.published ?? difference(searched.mean, reference.mean));
  const failures = trials.filter(({ problem }) => problem !== "").length;
  return html`<dl class="tiles">
    ${searched.mean && html`<div><dt>${finalSplit} ${scaleOf(data.metric).quantity}</dt><dd>${withError(searched.mean)} <small>${unit.trim()}</small></dd></div>`}
    ${
      change &&
      html`<div><dt>against ${reference.name}</dt><dd>${signedWithError(change)}
        <small>${[differenceUnit.trim(), isNoise(change) ? "within noise" : ""].filter(Boolean).join(", ")}</small></dd></div>`
    }
    <div><dt>trials</dt><dd>${trials.length} <small>${failures === 0 ? "none failed" : `${failures} failed`}</small></dd></div>
    <div><dt>${recommended.probabilityBest === undefined ? "" : "expected "}${split} ${scaleOf(data.metric).quantity} of ${recommended.candidateId}</dt>
      <dd>${withError({ metric, value: recommended.mean, standardError: recommended.standardDeviation })} <small>${unit.trim()}</small></dd></div>
    ${
      recommended.probabilityBest === undefined
        ? ""
        : html`<div><dt>chance that ${recommended.candidateId} is the best trial</dt>
        <dd>${Math.round(100 * recommended.probabilityBest)} <small>%</small></dd></div>`
    }
  </dl>`;
}

/** How far the numbers can be trusted. */
export function caveats(data: ReportData): Markup {
  const same =
    data.finalSplit === data.split && data.split !== ""
      ? html` <b>The searched model was chosen on the same ${data.split} split that is shown here, so its row is too favourable;
          name a held-out split as <code>confirm</code> in the recipe.</b>`
      : html` The coefficients were chosen on the ${data.split} split and never saw this one.`;
  const paired = data.rows.some(({ published }) => published !== undefined);
  const error = paired
    ? html`The error of a difference is that of the items on which the two models differ, as both answered the same ones.`
    : html`The error of a difference takes the two models' scores as independent; as both answer the same items, it is on the
      cautious side.`;
  return html`<p class="note">± is one standard error. ${error} Less than two of them is called noise: no gain is claimed.${same}</p>`;
}
