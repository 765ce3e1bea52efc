// The report as one HTML page: no scripts, nothing loaded from anywhere, and a policy that would refuse both.
import { scaleOf } from "@amalgam/runtime";
import { originColour, originLabel, originShape, originsOf } from "./charts/theme.ts";
import { type Content, html, Markup } from "./html.ts";
import { coefficient, signedWithError } from "./numbers.ts";
import type { ReportData } from "./report-data.ts";
import { STYLE } from "./style.ts";
import { caveats, plural, summary, tiles } from "./summary.ts";
import { coefficientTable, leaderTable, scoreTable, trialTable } from "./tables.ts";

export interface Panel {
  readonly name: string;
  readonly svg: Markup;
}

/** The drawn charts of a report. */
export interface Drawings {
  readonly history: Markup;
  /** Absent where nothing was compared. */
  readonly taskChange: Markup | undefined;
  readonly tasks: readonly Panel[];
  readonly coefficients: readonly Panel[];
  /** Empty where the search was not after trade-offs. */
  readonly front: readonly Panel[];
  /** Absent where the search has no model. */
  readonly learned:
    | { readonly importance: Markup; readonly calibration: Markup; readonly slices: readonly Panel[] }
    | undefined;
}

export function page(data: ReportData, drawings: Drawings): string {
  const title = `${data.method}: ${plural(data.models, "model")} merged, ${plural(data.trials.length, "trial")}`;
  return `<!doctype html>\n${
    html`<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${title}</title>
<style>${new Markup(STYLE)}</style>
</head>
<body>
<main>
<header><h1>${title}</h1>
${summary(data)}
${tiles(data)}</header>
${section("Scores", scores(data, drawings))}
${section("History of the search", history(data, drawings))}
${section("Coefficients", coefficients(data, drawings))}
${drawings.front.length === 0 ? "" : section("Trade-offs", tradeOffs(data, drawings.front))}
${drawings.learned === undefined ? "" : section("What the search has learned", learned(data, drawings.learned))}
${section("Recipe", recipe(data))}
${section("All trials", html`<details><summary>${plural(data.trials.length, "trial")} with scores and coefficients</summary>${trialTable(data)}</details>`)}
</main>
</body>
</html>
`.text
  }`;
}

const section = (heading: string, content: Content): Markup => html`<section>
<h2>${heading}</h2>
${content}</section>`;

function scores(data: ReportData, { taskChange }: Drawings): Markup {
  const chart =
    taskChange &&
    html`<figure class="chart">${taskChange}<figcaption>Each task in a row. The grey bar leads from the base to the best expert of the
      task; the diamond is the searched model ± one standard error. On the right: its difference in${scaleOf(data.metric).differenceUnit || " score"}, red where it is
      below the expert by more than noise.</figcaption></figure>`;
  return html`${scoreTable(data)}${caveats(data)}${chart}`;
}

function history(data: ReportData, { history: chart, tasks }: Drawings): Markup {
  const band = data.trials.some(({ leader }) => leader !== undefined)
    ? " The blue line is what was believed of the best trial so far, in its band of 95 %."
    : "";
  const stopped =
    data.stopped === ""
      ? ""
      : html`<p>The search stopped after ${plural(data.trials.length, "trial")}: ${data.stopped}.</p>`;
  return html`<p class="note">The objective is the ${data.objective} on the ${data.split} split. The grey line is the highest measurement so far.${band}
    The ring is the recommended trial, chosen by what the model of the objective expects there and not by the luckiest measurement; × is a failed trial.</p>
${stopped}
${legend(data)}
<figure class="chart">${chart}</figure>
${data.tasks.length > 1 ? panels(tasks) : ""}`;
}

function coefficients(data: ReportData, { coefficients: charts }: Drawings): Markup {
  const found = (name: string): Markup => html` <span>= ${coefficient(data.recommended.coefficients[name]!)}</span>`;
  return html`${coefficientTable(data)}<p class="note">${data.weighting} The objective over each coefficient, one point per trial.</p>
${legend(data)}
${panels(charts, found)}`;
}

function tradeOffs({ recommended, split }: ReportData, front: readonly Panel[]): Markup {
  const count = recommended.front?.length ?? 0;
  return html`<p class="note">${plural(count, "trial")} that no other is believed to beat on every task, as blue diamonds among all trials, by their scores on the ${split} split.
    The ring is the published one. To publish another, merge the recipe with its coefficients, from the table of all trials.</p>
${panels(front)}`;
}

function learned(data: ReportData, { importance, calibration, slices }: NonNullable<Drawings["learned"]>): Markup {
  const { improvement, stop, calibration: measured } = data.analysis!;
  const { metric } = data;
  const { difference, differenceUnit } = scaleOf(metric);
  const gain =
    improvement &&
    html`<p>Over the points that need no search (given by the recipe, equal coefficients, the centre) the recommended one is believed to gain
      <b>${signedWithError({ metric, value: improvement.mean, standardError: improvement.standardDeviation })}${differenceUnit}</b>; it is better with
      ${Math.round(100 * improvement.probability)} % probability.</p>`;
  return html`${leaderTable(data)}${gain}
<p>More trials are expected to gain ${difference(stop.expectedRemainingImprovement)}${differenceUnit}, where one evaluation is uncertain by
  ${difference(stop.noise)}: ${stop.reason}.</p>
<figure class="chart">${importance}<figcaption>How much of the objective\u2019s variation each coefficient causes, alone or with others, with its 95 %
  interval. A wide one means that too little was tried to tell.</figcaption></figure>
<p class="note">The objective that is believed along each coefficient, the others as recommended, in its band of 95 %; the dashed line is the value found.</p>
${panels(slices)}
<figure class="chart">${calibration}<figcaption>Every trial beside what all others say of it: ${Math.round(100 * measured.coverage)} % are within the 95 % that is
  expected of them, red are those that are not. Far fewer than 95 % would mean that the chances on this page are too sure.</figcaption></figure>`;
}

const panels = (charts: readonly Panel[], extra: (name: string) => Content = () => undefined): Markup =>
  html`<div class="panels">${charts.map(
    ({ name, svg }) => html`<figure><figcaption>${name}${extra(name)}</figcaption>${svg}</figure>\n`,
  )}</div>`;

const SHAPE_PATHS: Readonly<Record<string, string>> = {
  square: "M2.5 2.5h9v9h-9z",
  "triangle-up": "M7 2l5.5 10h-11z",
  cross: "M5.2 1.5h3.6v3.7h3.7v3.6h-3.7v3.7h-3.6v-3.7h-3.7v-3.6h3.7z",
  diamond: "M7 1l4.5 6l-4.5 6l-4.5-6z",
  circle: "M7 2a5 5 0 1 0 .01 0z",
  "triangle-down": "M7 12l5.5 -10h-11z",
};

/** What the colours and shapes of the trials mean, once for all charts of a section. */
function legend({ trials }: ReportData): Markup {
  const entry = (origin: string): Markup => {
    const path = `<path d="${SHAPE_PATHS[originShape(origin)]!}" fill="${originColour(origin)}"/>`;
    return html`<li><svg viewBox="0 0 14 14" aria-hidden="true">${new Markup(path)}</svg>${originLabel(origin)}</li>`;
  };
  return html`<ul class="legend">${originsOf(trials).map(entry)}</ul>`;
}

function recipe({ recipe: text }: ReportData): Markup {
  return html`<p>The published weights follow from this recipe, which lies beside this page. Run it again where the paths in it lead
    to the models; it needs no search and no evaluation:</p>
<pre><code>amalgam merge amalgam-recipe.yaml out/</code></pre>
<pre><code>${text}</code></pre>`;
}
