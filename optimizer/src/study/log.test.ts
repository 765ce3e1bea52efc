import { expect, test } from "vitest";
import { createStudy, formatLog, openLog, type Study, type StudySpec } from "../index.ts";

const spec: StudySpec = {
  dimensions: ["a", "größe"].map((name) => ({ name, kind: "float", low: 0, high: 1 }) as const),
  seed: 4,
  initialTrials: 4,
};

/** A study that has seen every kind of event. */
function eventful(): Study {
  const study = createStudy(spec);
  study.enqueue({ a: 0.25, größe: 0.75 });
  study.addObservation({ a: 0.1, größe: 0.9 }, { values: [0.2], standardErrors: [0.01] }, "von Hand, 日本");
  for (let k = 0; k < 6; k++) {
    const { id, values } = study.ask();
    if (k === 1) study.fail(id, "divergé");
    else if (k === 2) study.release(id);
    else study.tell(id, { values: [-((Number(values["a"]) - 0.4) ** 2)] });
  }
  return study;
}

test("a log written line by line opens at every line to a study that goes on as the first one did", () => {
  const study = createStudy(spec);
  let text = "";
  let written = 0;
  const reference = eventful();
  expect(openLog(formatLog(reference)).study.events).toEqual(reference.events);
  for (let k = 0; k < 8; k++) {
    const { id } = study.ask();
    study.tell(id, { values: [Math.sin(k)] });
    text += formatLog(study, written);
    written = study.events.length + 1;
    const opened = openLog(text);
    expect(opened).toMatchObject({ lines: written, bytes: Buffer.byteLength(text), isTorn: false });
    expect(opened.study.spec).toEqual(spec);
    expect(JSON.stringify(opened.study.events)).toBe(JSON.stringify(study.events));
  }
  expect(openLog(text).study.ask()).toEqual(study.ask());
});

test("a write cut off anywhere loses only what it was writing, and the file's whole part is measured in bytes", () => {
  const text = formatLog(eventful());
  const starts = [0, ...[...text.matchAll(/\n/g)].map(({ index }) => index + 1)];
  for (let cut = 1; cut < text.length; cut += 7) {
    const whole = starts.filter((start) => start <= cut);
    if (whole.length === 1) expect(() => openLog(text.slice(0, cut))).toThrow(/no whole line: .* begin a new study/);
    else {
      const opened = openLog(text.slice(0, cut));
      expect(opened).toMatchObject({ lines: whole.length - 1, bytes: whole.at(-1), isTorn: cut > whole.at(-1)! });
      expect(formatLog(opened.study)).toBe(text.slice(0, opened.bytes));
    }
  }
  expect(Buffer.byteLength(text)).toBe(text.length);
});

test.each<[string, (lines: string[]) => string[], RegExp]>([
  [
    "of a newer version",
    (lines) => lines.with(3, lines[3]!.replace('"v":1', '"v":2')),
    /^line 4 .* version 2 .* reads up to 1: update it/,
  ],
  [
    "with a line missing",
    (lines) => lines.toSpliced(2, 1),
    /^line 3 .* numbered 3, expected 2: lines are missing, repeated or out of order/,
  ],
  ["with a line repeated", (lines) => lines.toSpliced(3, 0, lines[2]!), /^line 4 .* numbered 2, expected 3/],
  [
    "with two lines exchanged",
    (lines) => lines.with(2, lines[3]!).with(3, lines[2]!),
    /^line 3 .* numbered 3, expected 2/,
  ],
  [
    "damaged before its end",
    (lines) => lines.with(4, lines[4]!.slice(0, 9)),
    /^line 5 .* not JSON: .* cut it before this line/,
  ],
  ["that is a list", (lines) => lines.with(1, "[1]"), /^line 2 .* no version/],
  [
    "without its spec",
    (lines) => lines.with(0, '{"v":1,"seq":0,"type":"release","id":0}'),
    /^line 1 .* begins with a line of type "create"/,
  ],
  [
    "with a spec that is none",
    (lines) => lines.with(0, '{"v":1,"seq":0,"type":"create","spec":{"seed":1}}'),
    /^line 1 .* list of dimensions/,
  ],
  [
    "with an unknown event",
    (lines) => lines.with(1, '{"v":1,"seq":1,"type":"constructor"}'),
    /^line 2 .* unknown event type "constructor"/,
  ],
  [
    "with a field that is not there",
    (lines) => lines.with(1, '{"v":1,"seq":1,"type":"tell","id":0}'),
    /^line 2 .* its values must be a list/,
  ],
  [
    "that contradicts itself",
    (lines) => lines.with(1, '{"v":1,"seq":1,"type":"tell","id":0,"values":[1]}'),
    /^line 2 .* trial 0 was never asked for/,
  ],
  [
    "that contradicts its spec",
    (lines) => lines.with(1, '{"v":1,"seq":1,"type":"enqueue","values":{"a":2,"größe":0}}'),
    /^line 2 .* value 2 of dimension "a" is outside/,
  ],
])("a log %s is refused by line", (_, damage, message) => {
  const lines = formatLog(eventful()).trimEnd().split("\n");
  expect(() =>
    openLog(
      damage(lines)
        .map((line) => `${line}\n`)
        .join(""),
    ),
  ).toThrow(message);
});
