// Options that the benchmarks share.

import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { ours } from "./ours.ts";
import { peers } from "./peer.ts";
import { solverNames } from "./solvers.ts";

export interface BenchOptions {
  readonly cases: string;
  readonly solvers: string;
  readonly seeds: string;
  readonly results?: string | undefined;
  readonly processes: string;
  /** An interpreter with the packages of peers.txt. */
  readonly python?: string | undefined;
  readonly markdown: boolean;
  readonly table: boolean;
}

export function parseBenchOptions(defaults: { readonly seeds: string; readonly solvers: string }): BenchOptions {
  const { venv, python, ...rest } = parseArgs({
    options: {
      cases: { type: "string", default: "protocol" },
      solvers: { type: "string", default: defaults.solvers },
      seeds: { type: "string", default: defaults.seeds },
      results: { type: "string" },
      processes: { type: "string", default: "1" },
      python: { type: "string" },
      venv: { type: "string" },
      markdown: { type: "boolean", default: false },
      table: { type: "boolean", default: false },
    },
  }).values;
  return { ...rest, python: python ?? (venv === undefined ? undefined : environmentAt(venv)) };
}

/** The interpreter of a virtual environment with the peers' packages, which is made, from PyPI, if it is not there. */
function environmentAt(directory: string): string {
  const python = join(directory, "bin/python");
  if (!existsSync(python)) {
    execFileSync("python3", ["-m", "venv", directory]);
    const packages = join(import.meta.dirname, "peers.txt");
    execFileSync(python, ["-m", "pip", "install", "--quiet", "-r", packages], { stdio: "inherit" });
  }
  return python;
}

/** Members of `all` by their names, separated by commas; a name may also stand for a group. Throws on other names. */
export function chosen<T>(
  text: string,
  groups: Readonly<Record<string, readonly T[]>>,
  all: readonly T[],
  nameOf: (one: T) => string,
): T[] {
  const list = text.split(",").flatMap((name) => {
    const found = groups[name] ?? all.filter((one) => nameOf(one) === name);
    if (found.length > 0) return found;
    throw new Error(
      `nothing is called "${name}"; there are ${[...Object.keys(groups), ...all.map(nameOf)].join(", ")}`,
    );
  });
  return [...new Set(list)];
}

export const solversOf = (text: string): string[] =>
  chosen(text, { ours, peers, all: solverNames }, solverNames, (name) => name);

/** "20" is 1 to 20, "3-7" is 3 to 7. */
export function seedsOf(text: string): number[] {
  const [from, to] = text.includes("-") ? text.split("-").map(Number) : [1, Number(text)];
  return Array.from({ length: to! - from! + 1 }, (_, k) => from! + k);
}
