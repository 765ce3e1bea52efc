// A job as text: the lines of a live view, the plain lines of a log, the final table. Pure functions of JobView.
import type { CandidateView, JobView } from "@amalgam/proto";
import { formatScore, scaleOf } from "@amalgam/runtime";
import { formatTable, type TableRow } from "./table.ts";
import { formatBytes, formatDuration } from "./units.ts";

const BAR_CELLS = 24;

export function progressBar(done: number, total: number): string {
  const filled = total === 0 ? BAR_CELLS : Math.round((BAR_CELLS * done) / total);
  return `${"━".repeat(filled)}${"─".repeat(BAR_CELLS - filled)}`;
}

export const isSettled = ({ state }: CandidateView): boolean => state === "scored" || state === "failed";

const ofRole = (view: JobView, role: string): CandidateView[] => view.candidates.filter((each) => each.role === role);

const numbered = (count: number, one: string): string => `${count} ${one}${count === 1 ? "" : "s"}`;

/** A job is planned when its method and sizes are known. */
const isPlanned = (view: JobView | undefined): boolean => view !== undefined && view.method !== "";

/** The scored trial with the highest objective so far, of those that meet the constraints if any does; ties go to the earlier one. */
export function bestTrial(view: JobView): CandidateView | undefined {
  let best: CandidateView | undefined;
  const isBetter = (trial: CandidateView, than: CandidateView): boolean => {
    const [meets, other] = [trial, than].map(({ unmet }) => unmet.length === 0);
    return meets === other ? trial.objective > than.objective : meets === true;
  };
  for (const trial of ofRole(view, "trial")) {
    if (trial.state === "scored" && (best === undefined || isBetter(trial, best))) best = trial;
  }
  return best;
}

/** `71.2 ±0.8 expected, t12, the best with 41 %`: what the optimizer believes; without a model, what was measured. */
export function bestSoFar(view: JobView): string | undefined {
  const [leader] = view.leaders;
  const best = bestTrial(view);
  if (leader?.probabilityBest === undefined) return best && `${objectiveText(view, best)} (${best.name})`;
  return `${formatScore(view.metric, leader.mean, leader.standardDeviation)} expected (${leader.candidateId}, ${chanceText(leader.probabilityBest)})`;
}

const chanceText = (probability: number): string => `the best with ${Math.round(100 * probability)} %`;

/** Whether the recommended trial keeps the constraints; undefined where there are none. */
export function constraintsText({ leaders: [leader], recommendedId }: JobView): string | undefined {
  if (leader?.probabilityFeasible === undefined || recommendedId === "") return undefined;
  const chance = `${Math.round(100 * leader.probabilityFeasible)} %`;
  if (leader.probabilityFeasible >= LIKELY) return `kept with ${chance}`;
  return `no trial is likely to keep them; this one does with ${chance}, as likely as any`;
}

/** What the optimizer takes for good enough to recommend. */
const LIKELY = 0.9;

/** Undefined when the search tried, or may still try, all of its trials. */
export function stoppedText(view: JobView): string | undefined {
  if (view.stopped === "") return undefined;
  return `after ${ofRole(view, "trial").length} of ${view.trialsPlanned} trials: ${view.stopped}`;
}

/**
 * Those of one parameter in one pair of brackets: `weight[a=0.300 b=0.700] lambda=1.000`. Groups of tensors that all have one value are that
 * value: `weight=0.300`, `weight[a=0.300 b(layers 1/2=0.100 layers 2/2=0.200)]`.
 */
export function coefficientText(coefficients: Readonly<Record<string, number>>): string {
  const ofParameter = Map.groupBy(Object.entries(coefficients), ([name]) => name.split("[", 1)[0]!);
  return [...ofParameter]
    .map(([parameter, entries]) => {
      const labels = entries.map(([name, value]) => [name.slice(parameter.length + 1, -1).split("]["), value] as const);
      const hasGroups = labels.some(([path]) => path.length > 1);
      if (entries[0]![0] === parameter || (hasGroups && isOneValue(entries))) {
        return `${parameter}=${entries[0]![1].toFixed(3)}`;
      }
      const inside = [...Map.groupBy(labels, ([[first]]) => first!)].map(([first, members]) => {
        if (members.length === 1 || isOneValue(members)) {
          const name = members.length === 1 ? members[0]![0].join(" ") : first;
          return `${name}=${members[0]![1].toFixed(3)}`;
        }
        return `${first}(${members.map(([[, ...rest], value]) => `${rest.join(" ")}=${value.toFixed(3)}`).join(" ")})`;
      });
      return `${parameter}[${inside.join(" ")}]`;
    })
    .join(" ");
}

const isOneValue = (entries: readonly (readonly [unknown, number])[]): boolean =>
  entries.every(([, value]) => value === entries[0]?.[1]);

const objectiveText = ({ metric }: JobView, { objective, objectiveStandardError }: CandidateView): string =>
  formatScore(metric, objective, objectiveStandardError);

/** `2.3 ±0.7 points`: a difference of objectives, without its sign. */
function differenceText({ metric }: JobView, difference: number, standardError: number): string {
  const scale = scaleOf(metric);
  return `${scale.difference(Math.abs(difference))} ±${scale.difference(standardError)}${scale.differenceUnit}`;
}

const SOURCES: Readonly<Record<string, string>> = {
  per_trial: "Fisher information at each candidate's coefficients",
  once: "Fisher information at the models",
  files: "Fisher information from files",
  none: "none: every weight counts the same",
};

/** `Fisher information at each candidate's coefficients: 128 estimates in 45 s of evaluators, 12 more found made`. */
export function importanceText({ importance }: JobView): string | undefined {
  if (importance === undefined) return undefined;
  const { estimate, made, reused, seconds } = importance;
  const source = SOURCES[estimate] ?? estimate;
  if (made === 0) return source;
  const again = reused === 0 ? "" : `, ${reused} more found made`;
  return `${source}: ${numbered(made, "estimate")} in ${formatDuration(1000 * seconds)} of evaluators${again}`;
}

/** The live view, redrawn in place: one line per stage that has begun. */
export function liveLines(view: JobView): string[] {
  if (!isPlanned(view)) return [`${view.kind} · planning`];
  const sizes = `${numbered(view.shards, "shard")}, ${formatBytes(Number(view.inputBytes))} read per pass`;
  const lines = [`${view.kind} · ${view.method} · ${sizes}`];
  if (view.trialsPlanned > 0) {
    const trials = ofRole(view, "trial");
    const done = trials.filter(isSettled).length;
    const best = bestSoFar(view);
    const total = view.stopped === "" ? view.trialsPlanned : trials.length;
    const stage = trials.at(-1)?.stage ?? "";
    lines.push(
      `trials   ${progressBar(done, total)} ${done}/${total}` +
        (stage === "" ? "" : `, stage ${stage}`) +
        (best === undefined ? "" : `   best ${best}`),
    );
    if (view.stopped !== "") lines.push(`stopped  ${stoppedText(view)}`);
    if (view.recommendedId !== "") {
      const rows = view.candidates.filter(({ role }) => role === "comparison" || role === "final");
      const settled = rows.filter(isSettled).length;
      lines.push(`compare  ${progressBar(settled, rows.length)} ${settled}/${rows.length}`);
    }
    for (const open of view.candidates.filter((each) => !isSettled(each) && each.state !== "waiting")) {
      lines.push(`  ${open.name}: ${stageText(view, open)}  ${coefficientText(open.coefficients)}`.trimEnd());
    }
  }
  if (view.state === "estimating" || (view.importance?.made ?? 0) > 0) lines.push(`weighted ${importanceText(view)}`);
  if (view.shardsWritten > 0 || ["writing", "publishing"].includes(view.state)) {
    lines.push(`write    ${progressBar(view.shardsWritten, view.shards)} ${view.shardsWritten}/${view.shards} shards`);
  }
  if (view.state === "publishing") lines.push("verifying and publishing");
  if (view.waitingFor !== "") lines.push(`waiting: ${view.waitingFor}`);
  return lines;
}

function stageText(view: JobView, candidate: CandidateView): string {
  if (candidate.state === "merging") return `merging ${candidate.shardsMerged}/${view.shards}`;
  if (candidate.state === "evaluating") return `evaluating ${candidate.scores.length}/${view.tasks.length} tasks`;
  return candidate.state;
}

/**
 * What happened between two views, one line each, for pipes and logs. Nothing is said of a job that is still planned; what
 * was done before the first look is one line.
 */
export function plainLines(before: JobView | undefined, after: JobView): string[] {
  const lines: string[] = [];
  if (isPlanned(after) && !isPlanned(before)) {
    lines.push(
      `${after.kind} job ${after.jobId}: ${after.method}, ${numbered(after.shards, "shard")}, ` +
        `${formatBytes(Number(after.inputBytes))} in, ${formatBytes(Number(after.outputBytes))} out`,
    );
  }
  if (after.earlier !== "" && before?.earlier !== after.earlier) lines.push(after.earlier);
  const known = isPlanned(before) ? before : resumedAt(after, lines);
  const settledBefore = new Set(known?.candidates.filter(isSettled).map(({ id }) => id));
  let settledTrials = ofRole(after, "trial").filter(({ id }) => settledBefore.has(id)).length;
  for (const candidate of after.candidates) {
    if (!isSettled(candidate) || settledBefore.has(candidate.id)) continue;
    const isTrial = candidate.role === "trial";
    const position = isTrial
      ? `trial ${candidate.name} (${++settledTrials}/${after.trialsPlanned}${candidate.stage === "" ? "" : `, stage ${candidate.stage}`})`
      : `${candidate.scores[0]?.split ?? "compared"}, ${candidate.name}`;
    const result = candidate.state === "failed" ? `failed: ${candidate.problem}` : objectiveText(after, candidate);
    const race = candidate.lostRace ? raceText(after, candidate) : "";
    const coefficients = isTrial ? coefficientText(candidate.coefficients) : "";
    const unmet = candidate.unmet.length === 0 ? "" : `, below its bound on ${candidate.unmet.join(", ")}`;
    lines.push(`${position}: ${result}${race}${unmet}  ${coefficients}`.trimEnd());
  }
  const [leader] = after.leaders;
  if (leader?.probabilityBest !== undefined && leader.candidateId !== known?.leaders[0]?.candidateId) {
    lines.push(`leading: ${bestSoFar(after)}`);
  }
  if (after.stopped !== "" && before?.stopped !== after.stopped) lines.push(`stopped ${stoppedText(after)}`);
  const quarter = (view: JobView | undefined): number =>
    view === undefined || view.shards === 0 ? 0 : Math.floor((4 * view.shardsWritten) / view.shards);
  if (quarter(after) > quarter(before))
    lines.push(`written ${after.shardsWritten} of ${numbered(after.shards, "shard")}`);
  if (after.waitingFor !== "" && after.waitingFor !== (before?.waitingFor ?? ""))
    lines.push(`waiting: ${after.waitingFor}`);
  return lines;
}

/** Why a trial was not scored on all items. */
function raceText(view: JobView, { scores, lostRace }: CandidateView): string {
  const items = scores.reduce((sum, score) => sum + score.items, 0);
  const { difference = 0, standardError = 0 } = lostRace?.difference ?? {};
  return ` on ${items} items, ${differenceText(view, difference, standardError)} ${scaleOf(view.metric).side(-1)} ${lostRace?.against}: given up`;
}

/** What a first look shows, told in a line and taken as known. Undefined when nothing is done yet. */
function resumedAt(view: JobView, lines: string[]): JobView | undefined {
  const done = ofRole(view, "trial").filter(isSettled).length;
  if (!isPlanned(view) || done === 0) return undefined;
  const best = bestSoFar(view);
  lines.push(`${done} of ${view.trialsPlanned} trials are done${best === undefined ? "" : `, the best ${best}`}`);
  return view;
}

/** What may be claimed of the published model: its objective against the best of the rows it is compared with, item by item. */
export function claimLine(view: JobView): string | undefined {
  const [published] = ofRole(view, "final");
  let best: CandidateView | undefined;
  for (const row of ofRole(view, "comparison")) {
    if (row.publishedMinusThis && (best === undefined || row.objective > best.objective)) best = row;
  }
  const paired = best?.publishedMinusThis;
  if (best === undefined || paired === undefined || published?.state !== "scored") return undefined;
  const { difference, standardError, probabilityBetter } = paired;
  const side = scaleOf(view.metric).side(difference);
  const size = `${differenceText(view, difference, standardError)} ${side} ${best.name}, the best row, on the same items`;
  if (Math.abs(difference) < 2 * standardError) return `${size}: within noise, so no gain is claimed`;
  const chance = difference < 0 ? 1 - probabilityBetter : probabilityBetter;
  return `${size}; the chance that it is ${difference < 0 ? "worse" : "better"} is ${(100 * chance).toFixed(1)} %`;
}

/** Score per task and mean, with standard errors: the comparisons first, the published model last. */
export function scoreTable(view: JobView): string[] {
  const comparisons = ofRole(view, "comparison").filter(isSettled);
  const final = ofRole(view, "final").filter(isSettled);
  const rows = [...comparisons, ...final];
  if (rows.length === 0) return [];
  const withMean = view.tasks.length > 1;
  const cells = (row: CandidateView): string[] => {
    if (row.state === "failed") return [row.name, ...view.tasks.map(() => "failed")];
    const byTask = new Map(row.scores.map((score) => [score.task, score]));
    const tasks = view.tasks.map((task) => {
      const score = byTask.get(task);
      return score ? formatScore(score.metric, score.score, score.standardError) : "";
    });
    return [row.name, ...tasks, ...(withMean ? [objectiveText(view, row)] : [])];
  };
  const split = rows[0]!.scores[0]?.split ?? "";
  const measured = new Map(rows.flatMap(({ scores }) => scores.map(({ task, metric }) => [task, metric])));
  // Where tasks measure different things each column says what.
  const titleOf = (task: string): string =>
    view.metric === "" && measured.has(task) ? `${task}: ${scaleOf(measured.get(task)!).title}` : task;
  const rule: TableRow[] = comparisons.length > 0 && final.length > 0 ? ["rule"] : [];
  const header = [
    `${split} ${scaleOf(view.metric).title}`.trimStart(),
    ...view.tasks.map(titleOf),
    ...(withMean ? ["mean"] : []),
  ];
  return formatTable(header, [...comparisons.map(cells), ...rule, ...final.map(cells)]);
}
