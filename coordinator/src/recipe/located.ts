/**
 * YAML text as plain values that remember their lines, so that errors can name them. Not a general YAML reader: string keys, no custom
 * tags. Aliases and merge keys (`<<`) are followed, with a bound on what they may expand to.
 */
import {
  type Alias,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  type Pair,
  parseAllDocuments,
} from "yaml";
import type { RecipeProblem } from "./problems.ts";

export type Located = LocatedScalar | LocatedList | LocatedMap;

export interface LocatedScalar {
  readonly kind: "scalar";
  readonly line: number;
  readonly value: string | number | boolean | null;
}

export interface LocatedList {
  readonly kind: "list";
  readonly line: number;
  readonly items: readonly Located[];
}

export interface LocatedMap {
  readonly kind: "map";
  readonly line: number;
  readonly entries: ReadonlyMap<string, LocatedEntry>;
}

export interface LocatedEntry {
  /** Line of the key. */
  readonly line: number;
  readonly value: Located;
}

const MAX_NODES = 100_000;
const MAX_DEPTH = 32;

/** The roots of the text's documents; undefined when it is not YAML with at least one. `problems` receives why. */
export function locate(text: string, problems: RecipeProblem[]): Located[] | undefined {
  const lines = new LineCounter();
  const documents = parseAllDocuments(text, { lineCounter: lines, uniqueKeys: true, stringKeys: true });
  if (!Array.isArray(documents) || documents.length === 0) {
    problems.push({ line: 1, message: "the recipe is empty" });
    return undefined;
  }
  // What follows the first syntax error is mostly a consequence of it.
  const error = documents.flatMap(({ errors }) => errors)[0];
  if (error !== undefined) {
    problems.push({ line: lines.linePos(error.pos[0]).line, message: `not valid YAML: ${firstLine(error.message)}` });
    return undefined;
  }
  const lineOf = (node: Node): number => lines.linePos(node.range?.[0] ?? 0).line;
  // The limits hold for all documents together.
  const walker: Walker = { nodes: 0, lineOf, problems, anchors: new Map(), expanding: false };
  const roots: Located[] = [];
  for (const [index, { contents, range }] of documents.entries()) {
    if (contents == null) {
      const line = index === 0 ? 1 : lines.linePos(range[0]).line;
      problems.push({ line, message: documents.length === 1 ? "the recipe is empty" : `stage ${index + 1} is empty` });
      return undefined;
    }
    walker.anchors.clear();
    const root = walk(walker, contents, 0);
    if (root === undefined) return undefined;
    roots.push(root);
  }
  return roots;
}

interface Walker {
  nodes: number;
  readonly lineOf: (node: Node) => number;
  readonly problems: RecipeProblem[];
  /** Anchored nodes so far: an alias means the last one of its name before it. */
  readonly anchors: Map<string, Node>;
  /** Inside what an alias stands for. */
  expanding: boolean;
}

function walk(walker: Walker, node: Node | null, depth: number): Located | undefined {
  if (node === null) return { kind: "scalar", line: 1, value: null };
  const line = walker.lineOf(node);
  walker.nodes++;
  if (walker.nodes > MAX_NODES || depth > MAX_DEPTH) {
    const rule =
      depth > MAX_DEPTH ? `nested deeper than ${MAX_DEPTH} levels` : `expands to more than ${MAX_NODES} values`;
    if (walker.nodes !== Number.POSITIVE_INFINITY) walker.problems.push({ line, message: `the recipe is ${rule}` });
    walker.nodes = Number.POSITIVE_INFINITY;
    return undefined;
  }
  if (isAlias(node)) return walkAlias(walker, node, line, depth);
  if (!walker.expanding && node.anchor !== undefined) walker.anchors.set(node.anchor, node);
  if (isScalar(node)) {
    const { value } = node;
    if (value === null || typeof value === "string" || typeof value === "number" || typeof value === "boolean") {
      return { kind: "scalar", line, value };
    }
    walker.problems.push({ line, message: `a value of a kind that recipes do not have: ${String(value)}` });
    return undefined;
  }
  if (isSeq(node)) {
    const items: Located[] = [];
    for (const item of node.items) {
      const located = walk(walker, item as Node | null, depth + 1);
      if (located !== undefined) items.push(located);
    }
    return { kind: "list", line, items };
  }
  if (isMap(node)) {
    const entries = new Map<string, LocatedEntry>();
    for (const pair of node.items) addPair(walker, pair as Pair<Node, Node | null>, depth, entries);
    return { kind: "map", line, entries };
  }
  return undefined;
}

function walkAlias(walker: Walker, alias: Alias, line: number, depth: number): Located | undefined {
  const target = walker.anchors.get(alias.source);
  if (target === undefined) {
    walker.problems.push({ line, message: `alias \`*${alias.source}\` has no anchor before it` });
    return undefined;
  }
  const { expanding } = walker;
  walker.expanding = true;
  const located = walk(walker, target, depth + 1);
  walker.expanding = expanding;
  return located;
}

function addPair(
  walker: Walker,
  pair: Pair<Node, Node | null>,
  depth: number,
  entries: Map<string, LocatedEntry>,
): void {
  const line = walker.lineOf(pair.key);
  const key = isScalar(pair.key) ? String(pair.key.value) : undefined;
  if (key === undefined) {
    walker.problems.push({ line, message: "keys must be plain text" });
    return;
  }
  const value =
    pair.value === null ? { kind: "scalar" as const, line, value: null } : walk(walker, pair.value, depth + 1);
  if (value === undefined) return;
  if (key !== "<<") {
    entries.set(key, { line, value });
    return;
  }
  for (const source of value.kind === "list" ? value.items : [value]) {
    if (source.kind !== "map") walker.problems.push({ line, message: "`<<` takes a mapping or a list of mappings" });
    else for (const [name, entry] of source.entries) if (!entries.has(name)) entries.set(name, entry);
  }
}

function firstLine(text: string): string {
  return text.split("\n", 1)[0]?.replace(/ at line \d+, column \d+:?$/, "") ?? text;
}
