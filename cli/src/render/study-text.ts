// What a study has learned, as text. Pure.
import type { RecordedStudy, StudySummary } from "@amalgam/coordinator";
import { scaleOf } from "@amalgam/runtime";
import { coefficientText } from "./job-text.ts";
import { formatTable } from "./table.ts";

const MAX_COEFFICIENTS = 12;

const percent = (value: number): string => (100 * value).toFixed(1);
const interval = ([low, high]: readonly [number, number]): string => `${percent(low)} to ${percent(high)}`;

export function studyLines({ spec, metric }: RecordedStudy, summary: StudySummary): string[] {
  const scale = scaleOf(metric);
  const { trials, complete, failed, pending, leaders, analysis } = summary;
  const open = [failed > 0 ? `${failed} failed` : "", pending > 0 ? `${pending} pending` : ""].filter(Boolean);
  const lines = [
    `${trials} trials of ${spec.dimensions.length} coefficients: ${[`${complete} scored`, ...open].join(", ")}`,
  ];
  if (leaders.length > 0) {
    const rows = leaders.map(({ id, values, mean, credibleInterval, probabilityBest }) => [
      String(id),
      scale.shown(mean),
      scale.interval(...credibleInterval),
      `${Math.round(100 * probabilityBest)} %`,
      coefficientText(values as Readonly<Record<string, number>>),
    ]);
    lines.push("", ...formatTable(["trial", scale.title, "95 %", "best", "coefficients"], rows));
  }
  if (analysis === undefined) return lines;
  const { importance, calibration, improvement, stop } = analysis;
  const ranked = Object.entries(importance).toSorted(([, a], [, b]) => b.share - a.share);
  const shares = ranked
    .slice(0, MAX_COEFFICIENTS)
    .map(([name, { share, credibleInterval }]) => [name, `${percent(share)} %`, interval(credibleInterval)]);
  lines.push("", ...formatTable(["coefficient", "share of the variation", "95 %"], shares));
  if (ranked.length > MAX_COEFFICIENTS) lines.push(`and ${ranked.length - MAX_COEFFICIENTS} more`);
  lines.push("");
  if (improvement !== undefined) {
    const { mean, standardDeviation, probability } = improvement;
    lines.push(
      `over the points that need no search: ${mean >= 0 ? "+" : ""}${scale.difference(mean)} ±${scale.difference(standardDeviation)}${scale.differenceUnit}, better with ${Math.round(100 * probability)} % probability`,
    );
  }
  lines.push(
    `left to gain: ${scale.difference(stop.expectedRemainingImprovement)}${scale.differenceUnit} expected, one evaluation is uncertain by ${scale.difference(stop.noise)}; ${stop.reason}`,
    `calibration: ${Math.round(100 * calibration.coverage)} % of the trials are within the 95 % that the others predict`,
  );
  return lines;
}
