// A study as a file: JSON lines, appended and never changed. Every line has the format's version and its own number;
// line 0 is the spec, line k the k-th event. Pure ASCII, so a position in the text is a position in the file.

import { StudyError } from "../errors.ts";
import type { StudyEvent, StudySpec } from "./events.ts";
import { replay, type Study } from "./study.ts";

/** Of the format. A reader refuses newer lines: it would not know what they do to the proposals. */
const version = 1;

/**
 * The log's lines from line `from` on, each ended by a newline. To keep a study on disk, append what is new after
 * every ask and tell, flush it, and only then act on it:
 * `append(formatLog(study, written)); written = study.events.length + 1`.
 */
export function formatLog(study: Study, from = 0): string {
  const entries = [{ type: "create", spec: study.spec }, ...study.events].slice(from);
  return entries.map((entry, index) => `${asciiJson({ v: version, seq: from + index, ...entry })}\n`).join("");
}

export interface OpenedLog {
  readonly study: Study;
  /** Whole lines of the log: what `formatLog` continues from. */
  readonly lines: number;
  /** Bytes they take. */
  readonly bytes: number;
  /** A write was cut off: cut the file to `bytes` before anything is appended. What was cut had not been acknowledged. */
  readonly isTorn: boolean;
}

/**
 * The study of a log. Throws StudyError, naming the line, for a log of a newer version, lines that are missing, repeated
 * or out of order, damage other than a torn last line, and events that contradict the spec or each other.
 */
export function openLog(text: string): OpenedLog {
  const bytes = text.lastIndexOf("\n") + 1;
  if (bytes === 0) throw new StudyError("the log has no whole line: nothing was recorded, so begin a new study");
  const lines = text.slice(0, bytes - 1).split("\n");
  let reading = 0;
  const events = function* (): Generator<StudyEvent> {
    // What a line claims to be, replay checks.
    for (reading = 1; reading < lines.length; reading++) yield readLine(lines[reading]!, reading) as StudyEvent;
  };
  try {
    const { type, spec } = readLine(lines[0]!, 0);
    if (type !== "create" || typeof spec !== "object" || spec === null)
      throw new StudyError('a log begins with a line of type "create" that has the spec');
    const study = replay(spec as StudySpec, events());
    return { study, lines: lines.length, bytes, isTorn: bytes < text.length };
  } catch (error) {
    // A log edited by hand can be wrong in ways that no rule foresees.
    const problem = error instanceof StudyError ? error.message : `not what was written: ${error}`;
    throw new StudyError(`line ${reading + 1} of the log: ${problem}`, { cause: error });
  }
}

/** The entry on a line, without version and number. */
function readLine(line: string, expected: number): Readonly<Record<string, unknown>> {
  let entry: unknown;
  try {
    entry = JSON.parse(line);
  } catch {
    throw new StudyError("not JSON: the file is damaged here; cut it before this line to go on from there");
  }
  if (typeof entry !== "object" || entry === null) throw new StudyError("not an object");
  const { v, seq, ...rest } = entry as { v?: unknown; seq?: unknown };
  if (!Number.isSafeInteger(v)) throw new StudyError("it has no version: not a log of this optimizer");
  if ((v as number) > version) {
    throw new StudyError(`written in version ${v} of the format, and this optimizer reads up to ${version}: update it`);
  }
  if (seq !== expected) {
    throw new StudyError(`it is numbered ${seq}, expected ${expected}: lines are missing, repeated or out of order`);
  }
  return rest;
}

function asciiJson(value: unknown): string {
  return JSON.stringify(value).replace(
    /[\u007f-\uffff]/g,
    (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}
