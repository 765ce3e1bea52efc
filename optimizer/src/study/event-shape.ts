// The fields an event must have. Events come from files and journals: their types are a promise that nobody checked.

import { StudyError } from "../errors.ts";
import type { StudyEvent } from "./events.ts";

interface Rule {
  readonly holds: (value: unknown) => boolean;
  readonly what: string;
}

const whole: Rule = { holds: (value) => Number.isSafeInteger(value) && (value as number) >= 0, what: "a whole number" };
const text: Rule = { holds: (value) => typeof value === "string", what: "a string" };
const object: Rule = {
  holds: (value) => typeof value === "object" && value !== null && !Array.isArray(value),
  what: "an object",
};
const list: Rule = { holds: Array.isArray, what: "a list" };

const fields: Readonly<Record<StudyEvent["type"], Readonly<Record<string, Rule>>>> = {
  ask: { id: whole, values: object, origin: text },
  enqueue: { values: object },
  observe: { id: whole, values: object, result: object },
  tell: { id: whole, values: list },
  fail: { id: whole, reason: text },
  release: { id: whole },
};

/** Throws StudyError unless `event` is an object with the fields of its type; what they mean is the ledger's to judge. */
export function checkShape(event: unknown): asserts event is StudyEvent {
  if (!object.holds(event)) throw new StudyError(`an event must be an object, not ${JSON.stringify(event)}`);
  const record = event as Readonly<Record<string, unknown>>;
  const type = String(record["type"]);
  if (!Object.hasOwn(fields, type)) throw new StudyError(`unknown event type "${type}"`);
  for (const [name, { holds, what }] of Object.entries(fields[type as StudyEvent["type"]])) {
    if (!Object.hasOwn(record, name) || !holds(record[name])) {
      throw new StudyError(`"${type}" event: its ${name} must be ${what}`);
    }
  }
}
