/**
 * Settings of a process, from its defaults, a JSON file, the environment and the command line, in rising order of
 * precedence. Every problem is found at once and named by where it came from. Called in main.ts and nowhere else.
 */
import { readFileSync } from "node:fs";
import type { z } from "zod";
import { AmalgamError, toAmalgamError } from "./errors.ts";
import { nearest } from "./nearest.ts";

const PREFIX = "AMALGAM_";
/** Read by something else than a process's settings. */
const ALWAYS_KNOWN = ["AMALGAM_NATS_SERVER"];

export interface ConfigSources {
  /** The environment. The key `leaseMs` is read from AMALGAM_LEASE_MS. Empty text counts as absent. */
  readonly env: NodeJS.ProcessEnv;
  /** Path of a JSON file whose keys are those of the schema. */
  readonly file?: string | undefined;
  /** From the command line; undefined values count as absent. The key `leaseMs` is called --lease-ms in errors. */
  readonly overrides?: Readonly<Record<string, unknown>>;
  /** More AMALGAM_ variables that are somebody's, though not this schema's. */
  readonly alsoKnown?: readonly string[];
}

/**
 * Reads and checks settings. The schema is an object of camelCase keys with units in their names (`leaseMs`); text from the
 * environment is turned into numbers, booleans ("true", "false", "1", "0") and lists (separated by commas) where the
 * schema wants one.
 * @throws AmalgamError `invalid_argument` with one line per problem: values that break the schema, and keys, options and
 *   AMALGAM_ variables that are unknown, with the nearest known name.
 */
export function loadConfig<S extends z.ZodObject>(schema: S, sources: ConfigSources): Readonly<z.output<S>> {
  const { env, file, overrides = {}, alsoKnown = [] } = sources;
  const keys = Object.keys(schema.shape);
  const problems: string[] = [];
  const values: Record<string, unknown> = {};
  /** What to call a key in an error: where its value came from, or the variable that would set it. */
  const origin = new Map<string, string>();
  const set = (key: string, name: string, value: unknown) => {
    values[key] = value;
    origin.set(key, name);
  };

  const fromFile = file === undefined ? {} : readJson(file, problems);
  for (const [key, value] of Object.entries(fromFile))
    if (keys.includes(key)) set(key, `${file}: ${key}`, value);
    else problems.push(`${file}: ${key}: no such setting${suggestion(key, keys)}`);

  const variables = new Map(keys.map((key) => [variableOf(key), key]));
  const known = [...variables.keys(), ...ALWAYS_KNOWN, ...alsoKnown];
  for (const [name, text] of Object.entries(env)) {
    if (!name.startsWith(PREFIX) || text === undefined) continue;
    const key = variables.get(name);
    if (key !== undefined && text !== "") set(key, name, fromText(text, kindOf(schema.shape[key])));
    else if (!known.includes(name)) problems.push(`${name}: no such variable${suggestion(name, known)}`);
  }

  for (const [key, value] of Object.entries(overrides)) {
    if (value === undefined) continue;
    const option = `--${words(key).join("-")}`;
    if (keys.includes(key)) set(key, option, value);
    else problems.push(`${option}: no such option${suggestion(key, keys)}`);
  }

  const result = schema.safeParse(values);
  for (const { path, message: said } of result.error?.issues ?? []) {
    // "Invalid input: expected number, received string": what follows the colon is enough.
    const message = said.replace(/^(Invalid|Too) \w+: /, "");
    const [key, ...rest] = path.map(String);
    const name = key === undefined ? "settings" : (origin.get(key) ?? variableOf(key));
    problems.push(
      `${[name, ...rest].join(".")}: ${key === undefined || origin.has(key) ? message : `${message} (not set)`}`,
    );
  }
  if (result.success && problems.length === 0) return Object.freeze(result.data) as Readonly<z.output<S>>;
  const list = problems.length === 1 ? ` ${problems[0]}` : problems.map((problem) => `\n  - ${problem}`).join("");
  throw new AmalgamError("invalid_argument", `wrong settings:${list}`);
}

/** "coordinatorAddress" -> "AMALGAM_COORDINATOR_ADDRESS". */
export function variableOf(key: string): string {
  return `${PREFIX}${words(key).join("_").toUpperCase()}`;
}

function words(key: string): string[] {
  return key
    .replace(/([a-z0-9])([A-Z])/g, "$1 $2")
    .toLowerCase()
    .split(" ");
}

function suggestion(name: string, known: readonly string[]): string {
  const candidate = nearest(name, known);
  return candidate === undefined ? "" : `; did you mean ${candidate}?`;
}

function readJson(path: string, problems: string[]): Record<string, unknown> {
  try {
    const parsed: unknown = JSON.parse(readFileSync(path, "utf8"));
    if (typeof parsed === "object" && parsed !== null && !Array.isArray(parsed)) return { ...parsed };
    problems.push(`${path}: must hold one JSON object`);
  } catch (thrown) {
    problems.push(`${path}: cannot be read as JSON: ${toAmalgamError(thrown).message}`);
  }
  return {};
}

/** The type of a field below what makes it optional. */
function kindOf(field: z.core.$ZodType | undefined): string | undefined {
  const def = field?._zod.def as { type: string; innerType?: z.core.$ZodType; in?: z.core.$ZodType } | undefined;
  const inner = def?.innerType ?? (def?.type === "pipe" ? def.in : undefined);
  return inner === undefined ? def?.type : kindOf(inner);
}

/** Text that cannot be turned into `kind` is left as it is, so that the schema says what is wrong with it. */
function fromText(text: string, kind: string | undefined): unknown {
  if (kind === "number" && text.trim() !== "" && !Number.isNaN(Number(text))) return Number(text);
  if (kind === "boolean" && /^(true|false|1|0)$/.test(text)) return text === "true" || text === "1";
  if (kind === "array") return text.split(",").map((item) => item.trim());
  return text;
}
