/** Reads located YAML into plain values and notes every deviation with its line; callers go on with what could be read. */
import { nearest } from "@amalgam/runtime";
import type { Located, LocatedEntry, LocatedMap } from "./located.ts";
import { listed, type RecipeProblem, suggestion } from "./problems.ts";

export interface NumberRule {
  readonly low?: number;
  readonly high?: number;
  readonly integer?: boolean;
}

export type Entries = LocatedMap["entries"];

export class Reader {
  readonly problems: RecipeProblem[] = [];

  fail(line: number, message: string): undefined {
    this.problems.push({ line, message });
    return undefined;
  }

  /**
   * The entries of a mapping whose keys are all known. `what` names it in errors; `explain` may say more about a key that is not known than
   * the nearest known one would. A misspelt key is read as the one that was meant: it is not missing as well.
   */
  map(
    node: Located,
    what: string,
    known: readonly string[],
    explain?: (key: string) => string | undefined,
  ): Entries | undefined {
    if (node.kind !== "map") return this.fail(node.line, `${what} must be a mapping of ${listed(known)}`);
    const entries = new Map(node.entries);
    for (const [key, entry] of node.entries) {
      if (known.includes(key)) continue;
      const message = explain?.(key);
      if (message !== undefined) {
        this.fail(entry.line, message);
        continue;
      }
      const near = suggestion(key, known);
      this.fail(entry.line, `unknown key \`${key}\` in ${what}${near === "" ? ` (keys: ${listed(known)})` : near}`);
      const meant = nearest(key, known);
      if (meant !== undefined && !entries.has(meant)) entries.set(meant, entry);
    }
    return entries;
  }

  list(node: Located, what: string): readonly Located[] | undefined {
    return node.kind === "list" ? node.items : this.fail(node.line, `${what} must be a list`);
  }

  text(node: Located, what: string): string | undefined {
    if (node.kind === "scalar" && typeof node.value === "string" && node.value !== "") return node.value;
    // A name such as `2024` or `true` is read as another type by YAML: say how to write it.
    const quote =
      node.kind === "scalar" && node.value !== null && node.value !== "" ? `: write "${node.value}" in quotes` : "";
    return this.fail(node.line, `${what} must be text${quote}`);
  }

  boolean(node: Located, what: string): boolean | undefined {
    if (node.kind === "scalar" && typeof node.value === "boolean") return node.value;
    return this.fail(node.line, `${what} must be true or false`);
  }

  number(node: Located, what: string, rule: NumberRule = {}): number | undefined {
    const value = node.kind === "scalar" ? node.value : undefined;
    if (typeof value !== "number") {
      return this.fail(node.line, `${what} must be a number${typeof value === "string" ? `, not "${value}"` : ""}`);
    }
    if (!Number.isFinite(value)) return this.fail(node.line, `${what} must be a finite number, not ${value}`);
    if (rule.integer && !Number.isSafeInteger(value)) {
      return this.fail(node.line, `${what} must be a whole number, not ${value}`);
    }
    const { low = Number.NEGATIVE_INFINITY, high = Number.POSITIVE_INFINITY } = rule;
    if (value < low || value > high) {
      const range = high === Number.POSITIVE_INFINITY ? `at least ${low}` : `from ${low} to ${high}`;
      return this.fail(node.line, `${what} must be ${range}, not ${value}`);
    }
    return value;
  }

  choice<T extends string>(node: Located, what: string, choices: readonly T[]): T | undefined {
    const value = node.kind === "scalar" ? node.value : undefined;
    const found = choices.find((choice) => choice === value);
    if (found !== undefined) return found;
    const near = typeof value === "string" ? suggestion(value, choices) : "";
    return this.fail(node.line, `${what} must be one of ${listed(choices)}${near}`);
  }

  /** A key that must be there. */
  required(entries: Entries, key: string, line: number, what: string): LocatedEntry | undefined {
    return entries.get(key) ?? this.fail(line, `${what} needs \`${key}\``);
  }
}
