// A job as text: the lines of a live view, the plain lines of a log, the final table. Pure functions of JobView.
import type { CandidateView, JobView } from "@amalgam/proto";
import { formatTable } from "./table.ts";
import { formatAccuracy, formatBytes } from "./units.ts";

const BAR_CELLS = 24;

export function progressBar(done: number, total: number): string {
  const filled = total === 0 ? BAR_CELLS : Math.round((BAR_CELLS * done) / total);
  return `${"━".repeat(filled)}${"─".repeat(BAR_CELLS - filled)}`;
}

const isSettled = ({ state }: CandidateView): boolean => state === "scored" || state === "failed";

const ofRole = (view: JobView, role: string): CandidateView[] => view.candidates.filter((each) => each.role === role);

/** The scored trial with the highest objective so far; ties go to the earlier one. */
export function bestTrial(view: JobView): CandidateView | undefined {
  let best: CandidateView | undefined;
  for (const trial of ofRole(view, "trial")) {
    if (trial.state === "scored" && (best === undefined || trial.objective > best.objective)) best = trial;
  }
  return best;
}

export function coefficientText(coefficients: Readonly<Record<string, number>>): string {
  return Object.entries(coefficients)
    .map(([name, value]) => `${name}=${value.toFixed(3)}`)
    .join(" ");
}

const objectiveText = (candidate: CandidateView): string =>
  formatAccuracy(candidate.objective, candidate.objectiveStandardError);

/** The live view, redrawn in place: one line per stage that has begun. */
export function liveLines(view: JobView): string[] {
  const lines = [
    `${view.kind} · ${view.method} · ${view.shards} shards, ${formatBytes(view.inputBytes ? Number(view.inputBytes) : 0)} read`,
  ];
  if (view.trialsPlanned > 0) {
    const trials = ofRole(view, "trial");
    const done = trials.filter(isSettled).length;
    const best = bestTrial(view);
    lines.push(
      `trials   ${progressBar(done, view.trialsPlanned)} ${done}/${view.trialsPlanned}` +
        (best ? `   best ${objectiveText(best)} (${best.name})` : ""),
    );
    const rows = view.candidates.filter(({ role }) => role !== "trial");
    if (view.recommendedId !== "") {
      lines.push(
        `compare  ${progressBar(rows.filter(isSettled).length, rows.length)} ${rows.filter(isSettled).length}/${rows.length}`,
      );
    }
    for (const open of view.candidates.filter((each) => !isSettled(each) && each.state !== "waiting")) {
      lines.push(`  ${open.name}: ${stageText(view, open)}  ${coefficientText(open.coefficients)}`.trimEnd());
    }
  }
  if (view.shardsWritten > 0 || ["writing", "publishing"].includes(view.state)) {
    lines.push(`write    ${progressBar(view.shardsWritten, view.shards)} ${view.shardsWritten}/${view.shards} shards`);
  }
  if (view.waitingFor !== "") lines.push(`waiting: ${view.waitingFor}`);
  return lines;
}

function stageText(view: JobView, candidate: CandidateView): string {
  if (candidate.state === "merging") return `merging ${candidate.shardsMerged}/${view.shards}`;
  if (candidate.state === "evaluating") return `evaluating ${candidate.scores.length}/${view.tasks.length} tasks`;
  return candidate.state;
}

/** What happened between two views, one line each, for pipes and logs. */
export function plainLines(before: JobView | undefined, after: JobView): string[] {
  const lines: string[] = [];
  if (before === undefined) {
    lines.push(
      `${after.kind} job ${after.jobId}: ${after.method}, ${after.shards} shards, ` +
        `${formatBytes(Number(after.inputBytes))} in, ${formatBytes(Number(after.outputBytes))} out`,
    );
  }
  const settledBefore = new Set(before?.candidates.filter(isSettled).map(({ id }) => id));
  for (const candidate of after.candidates) {
    if (!isSettled(candidate) || settledBefore.has(candidate.id)) continue;
    const position = candidate.role === "trial" ? `trial ${candidate.name} of ${after.trialsPlanned}` : candidate.name;
    const result = candidate.state === "failed" ? `failed: ${candidate.problem}` : objectiveText(candidate);
    lines.push(`${position}: ${result}  ${coefficientText(candidate.coefficients)}`.trimEnd());
  }
  const quarter = (view: JobView | undefined): number =>
    view === undefined || view.shards === 0 ? 0 : Math.floor((4 * view.shardsWritten) / view.shards);
  if (quarter(after) > quarter(before)) lines.push(`written ${after.shardsWritten} of ${after.shards} shards`);
  if (after.waitingFor !== "" && after.waitingFor !== (before?.waitingFor ?? ""))
    lines.push(`waiting: ${after.waitingFor}`);
  return lines;
}

/** Accuracy per task and mean, in percent with standard errors: the comparisons first, the published model last. */
export function scoreTable(view: JobView): string[] {
  const rows = [...ofRole(view, "comparison"), ...ofRole(view, "final")].filter(isSettled);
  if (rows.length === 0) return [];
  const cells = (row: CandidateView): string[] => {
    if (row.state === "failed") return [row.name, ...view.tasks.map(() => "failed"), ""];
    const byTask = new Map(row.scores.map((score) => [score.task, score]));
    const tasks = view.tasks.map((task) => {
      const score = byTask.get(task);
      return score ? formatAccuracy(score.accuracy, score.standardError) : "";
    });
    return [row.name, ...tasks, objectiveText(row)];
  };
  const split = rows[0]!.scores[0]?.split ?? "";
  return formatTable([`${split} accuracy, %`, ...view.tasks, "mean"], rows.map(cells));
}
