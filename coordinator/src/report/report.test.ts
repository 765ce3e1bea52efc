import { LostRaceSchema, PairedDifferenceSchema } from "@amalgam/proto";
import { create } from "@bufbuild/protobuf";
import { expect, test } from "vitest";
import { analyse } from "./analysis.ts";
import { searchHistory } from "./history.ts";
import { readSearchHistory } from "./read-history.ts";
import { renderReport, renderSearchPlot } from "./report.ts";
import { sampleSearch, studyOfSample } from "./testing/sample-search.ts";

const HOSTILE = [
  `<script>alert(1)</script>`,
  `"><img src=x onerror=alert(1)>`,
  `'; datum['x'] + "]{{}}\${1} var(--nothing) </title></svg>`,
  `]]>&#60;b&lt; \u0000\u001b[2J`,
];

/** Text as it can stand in the page: that of elements and attributes, with entities resolved. */
const resolved = (page: string): string =>
  page
    .replaceAll("&lt;", "<")
    .replaceAll("&gt;", ">")
    .replaceAll("&quot;", '"')
    .replaceAll("&#39;", "'")
    .replaceAll("&amp;", "&");

/** Every kind of tag with the names of its attributes. */
function tagsOf(page: string): string[] {
  const tags = [...page.matchAll(/<[a-zA-Z](?:[^<>"]|"[^"]*")*>/g)].map(([tag]) => tag.replaceAll(/"[^"]*"/g, ""));
  return [...new Set(tags)].toSorted();
}

test("the report of a search is the same bytes every time, also when two are made at once", async () => {
  const sample = sampleSearch();
  const first = await renderReport(sample.view, sample);
  const again = sampleSearch();
  const others = await Promise.all([renderReport(again.view, again), renderReport(again.view, again)]);
  expect(others).toEqual([first, first]);
  const plot = await renderSearchPlot(sample.view, sample.recommended);
  expect(await renderSearchPlot(again.view, again.recommended)).toBe(plot);
});

test("nothing of the cluster that ran the search is in its report", async () => {
  const sample = sampleSearch();
  const report = await renderReport(sample.view, sample);
  sample.view.jobId = "another";
  sample.view.workers = 7;
  sample.view.shards = 99;
  sample.view.shardsWritten = 3;
  sample.view.outputDirectory = "/elsewhere";
  for (const candidate of sample.view.candidates) candidate.shardsMerged = 5;
  expect(await renderReport(sample.view, sample)).toBe(report);
  expect(report).not.toContain("/somewhere");
});

test("a report stands alone: no scripts, nothing to load, every id once, no broken number", async () => {
  const sample = sampleSearch();
  const report = await renderReport(sample.view, sample);
  expect(report).not.toMatch(/<script|<link|<iframe|https?:|\bsrc=|\bhref=|url\(|@import|\son[a-z]+=/i);
  const ids = [...report.matchAll(/ id="([^"]*)"/g)].map((match) => match[1]);
  expect(new Set(ids).size).toBe(ids.length);
  expect(report).not.toMatch(/NaN|undefined|Infinity|\[object/);
  expect(report.match(/<svg role="img" aria-labelledby/g)).toHaveLength(1 + 1 + 4 + 4);
});

test("every candidate is in the report with its scores, its split and its recipe", async () => {
  const sample = sampleSearch();
  const report = await renderReport(sample.view, sample);
  for (const { id, name, role, objective, state } of sample.view.candidates) {
    expect(report).toContain(role === "trial" ? `<th scope="row">${id}` : `<th scope="row" title="${name}">`);
    if (state === "scored") expect(report).toContain(`${(100 * objective).toFixed(1)} <span class="error">`);
  }
  expect(report).toContain("Accuracy on the test split");
  expect(report).toContain("amalgam merge amalgam-recipe.yaml out/");
  expect(resolved(report)).toContain(sample.recipe);
  expect(report.match(/expert<\/small>/g)).toHaveLength(4);
  expect(report.match(/fixed method<\/small>/g)).toHaveLength(4);
});

test("what the search has learned has its section, the same bytes every time, and none where there is no model", async () => {
  const sample = sampleSearch();
  const analysis = analyse(studyOfSample(sample))!;
  expect(Object.keys(analysis.importance)).toEqual(sample.study.spec.dimensions.map(({ name }) => name));
  const runnersUp = [{ candidateId: "t3", mean: 0.7, standardDeviation: 0.01, probabilityBest: 0.12 }];
  const input = { ...sample, recommended: { ...sample.recommended, runnersUp }, analysis };
  const report = await renderReport(sample.view, input);
  expect(report).toContain("What the search has learned");
  expect(report).toContain("12 %</td>");
  expect(report).toContain("Importance of the coefficients");
  expect(report.match(/Believed objective along /g)!.length).toBeGreaterThanOrEqual(analysis.slices.length);
  expect(report).toContain(
    `${Math.round(100 * analysis.calibration.coverage)} % of ${analysis.calibration.trials.length} trials lie`,
  );
  expect(report).not.toMatch(/NaN|undefined|Infinity/);
  const again = analyse(studyOfSample(sampleSearch()))!;
  expect(await renderReport(sample.view, { ...input, analysis: again })).toBe(report);
  expect(await renderReport(sample.view, sample)).not.toContain("What the search has learned");
});

test("trade-offs are drawn for every pair of tasks, and bounds that are missed are marked", async () => {
  const sample = sampleSearch();
  const { view } = sample;
  view.candidates[4]!.unmet = ["speech"];
  view.stopped = "more would gain less than noise";
  const recommended = { ...sample.recommended, front: ["t3", sample.recommended.candidateId] };
  const report = await renderReport(view, { ...sample, recommended });
  expect(report).toContain("Trade-offs");
  expect(report).toContain("2 trials that no other is believed to beat");
  expect(report.match(/ on the front\./g)).toHaveLength(6);
  expect(report.match(/class="unmet"/g)).toHaveLength(1);
  expect(report).toContain("The search stopped after 30 trials: more would gain less than noise.");
  expect(await renderReport(view, sample)).not.toContain("Trade-offs");
});

test("names from a recipe are text wherever they appear", async () => {
  const sample = sampleSearch({ tasks: HOSTILE, method: `<i>"m` });
  sample.view.candidates[3]!.origin = HOSTILE[1]!;
  const report = await renderReport(sample.view, { ...sample, analysis: analyse(studyOfSample(sample))! });
  const plain = sampleSearch();
  const learned = { ...plain, analysis: analyse(studyOfSample(plain))! };
  expect(tagsOf(report)).toEqual(tagsOf(await renderReport(plain.view, learned)));
  for (const name of HOSTILE.slice(0, 3)) expect(resolved(report)).toContain(`weight[${name}]`);
  const plot = await renderSearchPlot(sample.view, sample.recommended);
  expect(plot).not.toMatch(/<script|<img/);
});

test("failed trials and failed models are shown with their reasons", async () => {
  const sample = sampleSearch({ failed: [2, 7, 29] });
  const compared = sample.view.candidates.find(({ name }) => name === "fisher")!;
  Object.assign(compared, { state: "failed", problem: "no Fisher & no <data>", scores: [], objective: 0 });
  const report = await renderReport(sample.view, sample);
  expect(report.match(/failed: evaluator lost &lt;3 times&gt;<\/td>/g)).toHaveLength(3);
  expect(report).toContain("failed: no Fisher &amp; no &lt;data&gt;</td>");
  expect(report).toContain("3 failed");
  expect(report.match(/<title>t\d+ failed: evaluator lost &lt;3 times&gt;<\/title>/g)).toHaveLength(3);
});

test("a search without comparisons, with one task, or with a single trial has a report", async () => {
  for (const options of [
    { comparisons: false },
    { tasks: ["topic"] },
    { tasks: ["topic"], comparisons: false, trials: 1, failed: [] },
  ]) {
    const sample = sampleSearch(options);
    const report = await renderReport(sample.view, sample);
    expect(report).toContain("df_merge (searched)");
    expect(report).not.toMatch(/NaN|undefined|Infinity/);
    expect(report.includes("Each task in a row")).toBe(options.comparisons !== false);
    if (options.comparisons === false) expect(report).not.toContain("best fixed method");
  }
});

test("a gain of less than two standard errors is called noise, a greater one is not", async () => {
  const sample = sampleSearch();
  expect(await renderReport(sample.view, sample)).not.toContain("within noise");
  const final = sample.view.candidates.find(({ role }) => role === "final")!;
  const average = sample.view.candidates.find(({ name }) => name === "average")!;
  average.objective = final.objective + 0.001;
  const report = await renderReport(sample.view, sample);
  expect(report).toContain("0.1 ± 0.7 points below the best fixed method (average,");
  expect(report).toContain("a difference within noise");
});

test("a difference is that of the items that both models answered, where it is known", async () => {
  const sample = sampleSearch();
  const fisher = sample.view.candidates.find(({ name }) => name === "fisher")!;
  fisher.publishedMinusThis = create(PairedDifferenceSchema, { difference: 0.002, standardError: 0.004 });
  const best = sample.view.candidates.filter(({ role }) => role === "comparison");
  for (const row of best) if (row !== fisher) row.objective = 0.1;
  const report = await renderReport(sample.view, sample);
  expect(report).toContain("0.2 ± 0.4 points above the best fixed method (fisher,");
  expect(report).toContain("a difference within noise");
  expect(report).toContain("published − this");
  expect(report).toContain("the items on which the two models differ");
});

test("a trial that was given up says on how many items and against which trial", async () => {
  const sample = sampleSearch();
  const trial = sample.view.candidates.find(({ id }) => id === "t9")!;
  const difference = create(PairedDifferenceSchema, { difference: -0.05, standardError: 0.01 });
  trial.lostRace = create(LostRaceSchema, { against: "t4", difference });
  const report = await renderReport(sample.view, sample);
  expect(report).toContain("given up: below t4 by 5.0 ± 1.0 points");
  expect(report).toContain("2400 items");
});

test("scores on the split that was searched are called too favourable", async () => {
  const sample = sampleSearch();
  expect(await renderReport(sample.view, sample)).not.toContain("too favourable");
  for (const score of sample.view.candidates.flatMap(({ scores }) => scores)) score.split = "validation";
  expect(await renderReport(sample.view, sample)).toContain("too favourable");
});

test("the picture of a search can be drawn from its search.json", async () => {
  const { view, recommended, study } = sampleSearch();
  const read = readSearchHistory(searchHistory(view, { recommended, study }));
  expect(read.study).toEqual(study);
  const plot = await renderSearchPlot(read.view, read.recommended);
  expect(plot).toBe(await renderSearchPlot(view, recommended));
  expect(plot).toMatch(/^<svg role="img" xmlns="/);
  expect(plot).toContain('fill="#ffffff"');
  expect(plot).toContain("proposed by the model");
  expect(plot).not.toContain("var(");
});

/** The sample with other numbers in place of its accuracies. */
function measuring(metricOf: (task: string) => string) {
  const sample = sampleSearch();
  const metrics = new Set(sample.view.tasks.map(metricOf));
  sample.view.metric = metrics.size === 1 ? [...metrics][0]! : "";
  const isLikelihood = sample.view.metric === "perplexity";
  for (const candidate of sample.view.candidates) {
    if (isLikelihood) candidate.objective -= 4;
    for (const score of candidate.scores) {
      score.metric = metricOf(score.task);
      if (score.metric === "perplexity") score.score -= 4;
    }
  }
  const recommended = { ...sample.recommended, mean: sample.recommended.mean - (isLikelihood ? 4 : 0) };
  return { ...sample, recommended };
}

test("perplexities are shown as such, their differences in nats, and charts have log-likelihoods, where up is better", async () => {
  const sample = measuring(() => "perplexity");
  const report = await renderReport(sample.view, sample);
  const final = sample.view.candidates.find(({ role }) => role === "final")!;
  expect(report).toContain("Perplexity on the test split ± one standard error");
  expect(report).toContain(`${Math.exp(-final.objective).toPrecision(4)} <span class="error">`);
  expect(report).toMatch(/<small>nats/);
  expect(report).toContain("log-likelihood, nats");
  expect(report).not.toContain("accuracy");
  expect(report).not.toMatch(/NaN|undefined|Infinity/);
});

test("tasks that measure different things are shown each in its own unit, and share no axis", async () => {
  const sample = measuring((task) => (task === "speech" ? "perplexity" : "accuracy"));
  const report = await renderReport(sample.view, sample);
  expect(report).toContain("sentiment: accuracy, %; supersense: accuracy, %; section: accuracy, %; speech: perplexity");
  expect(report).toContain("speech: log-likelihood of a token over the trials");
  expect(report).not.toContain("What the searched model gains and loses on each task");
  expect(report).not.toMatch(/NaN|undefined|Infinity/);
});
