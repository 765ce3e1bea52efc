// Makes structurally equal expressions the same object, so that everything later may compare and
// count nodes by identity: common sub-expressions are computed once, equal statistics found once.
import type { Expr } from "./expr.ts";

function detail(e: Expr): string {
  switch (e.op) {
    case "input":
      return e.role.kind === "base"
        ? "base"
        : `${e.role.kind === "companion" ? e.role.companion : "model"}[${e.role.model}]`;
    case "param":
      return e.name;
    case "const":
      return Object.is(e.value, -0) ? "-0" : String(e.value);
    case "random":
    case "drawn":
      return String(e.stream);
    case "statistic":
      return `${e.kind} ${e.scope} ${e.exact}`;
    default:
      return "";
  }
}

/** The roots, rebuilt of shared nodes. */
export function canonical<T extends Expr>(roots: readonly T[]): T[] {
  const seen = new Map<Expr, Expr>();
  const byKey = new Map<string, Expr>();
  const numbers = new Map<Expr, number>();
  const visit = (e: Expr): Expr => {
    const known = seen.get(e);
    if (known) return known;
    const args = e.args.map(visit);
    const key = `${e.op}|${detail(e)}|${args.map((a) => numbers.get(a)).join(",")}`;
    let found = byKey.get(key);
    if (!found) {
      found = { ...e, args };
      byKey.set(key, found);
      numbers.set(found, numbers.size);
    }
    seen.set(e, found);
    return found;
  };
  return roots.map((root) => visit(root) as T);
}

/** The nodes below the roots, each once, arguments before users. Does not go below a node that `isLeaf`. */
export function topological(roots: readonly Expr[], isLeaf: (e: Expr) => boolean): Expr[] {
  const seen = new Set<Expr>();
  const order: Expr[] = [];
  const visit = (e: Expr): void => {
    if (seen.has(e)) return;
    seen.add(e);
    if (!isLeaf(e)) for (const a of e.args) visit(a);
    order.push(e);
  };
  for (const root of roots) visit(root);
  return order;
}

/** The expressions as text, one node a line: equal texts are equal programs, whatever file they came from. */
export function textOf(roots: readonly Expr[]): string {
  const nodes = topological(roots, () => false);
  const place = new Map(nodes.map((e, i) => [e, i]));
  const argumentsOf = (e: Expr): string => e.args.map((a) => place.get(a)).join(" ");
  return nodes.map((e) => `${e.op} ${detail(e)} ${argumentsOf(e)}\n`).join("");
}
