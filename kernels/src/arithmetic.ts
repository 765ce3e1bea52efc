// From the expression a method writes to the one that programs run: in float32 throughout, or as mergekit computes it in a
// working dtype, by torch's rules on a CPU (decision 0029). A pure rewriting; nothing later knows of marks or of mergekit.
import { roundedTo } from "./convert.ts";
import type { WorkingDType } from "./dtype.ts";
import { add, drawn, type Expr, type F32, type InputRole, type Operator, roundBF16, roundF16, wide } from "./expr.ts";
import type { MergeMethod } from "./method.ts";

export interface Lowering {
  readonly method: MergeMethod;
  /** Left out: float32 throughout, and random numbers that are keyed. */
  readonly working?: WorkingDType | undefined;
  /** Whether values of the input may not be numbers of the working dtype. */
  readonly needsCast: (role: InputRole) => boolean;
}

type Rewrite = (e: Expr) => Expr;

export function lowered(root: F32, { method, working, needsCast }: Lowering): F32 {
  if (working === undefined) return unrounded(root, (e) => e) as F32;
  const rounding = method.mergekit ?? "once";
  const cast = (e: Expr): Expr => (e.op === "input" && needsCast(e.role) ? roundTo(e as F32, working) : e);
  if (rounding === "everyOperation") return rounded(everyOperation(root, method, working, cast), working);
  const result = unrounded(root, (e) => (e.op === "random" ? drawn(e.stream) : cast(e))) as F32;
  // A scalar beside the output is not stored in the dtype.
  return rounding === "once" && !root.scalar ? rounded(result, working) : result;
}

/** Writes marks in operators, and replaces leaves, and statistics where there is a rewriting of them. */
function unrounded(root: Expr, leaf: Rewrite, ofStatistic?: Rewrite): Expr {
  const seen = new Map<Expr, Expr>();
  const visit = (e: Expr): Expr => {
    const known = seen.get(e);
    if (known) return known;
    const result = rewrite(e);
    seen.set(e, result);
    return result;
  };
  const rewrite = (e: Expr): Expr => {
    if (e.op === "random") return leaf({ ...e, args: [] });
    if (e.args.length === 0) return leaf(e);
    if (e.op === "statistic" && ofStatistic) return ofStatistic(e);
    const args = e.args.map(visit);
    if (e.op === "sum") return chain(args);
    return e.op === "inFloat32" || e.op === "once" || e.op === "stored" ? args[0]! : { ...e, args };
  };
  return visit(root);
}

const chain = (args: readonly Expr[]): F32 => (args as F32[]).reduce((a, b) => add(a, b));

const rounded = (x: F32, dtype: WorkingDType): F32 => (isExact(x, dtype) ? x : roundTo(x, dtype));
function roundTo(x: F32, dtype: WorkingDType): F32 {
  if (dtype === "F32") return x;
  return dtype === "BF16" ? roundBF16(x) : roundF16(x);
}

/** Operators that return a value they were given, or its negative. */
const CHOICES: ReadonlySet<string> = new Set<Operator>(["abs", "neg", "select", "min", "max"]);
const COMPARISONS: ReadonlySet<string> = new Set<Operator>(["eq", "ne", "lt", "le", "gt", "ge"]);

/** Whether every value of the (rewritten) expression is a number of the dtype. */
function isExact(e: Expr, dtype: WorkingDType): boolean {
  if (dtype === "F32" || e.op === "input") return true;
  if (e.op === "const") return roundedTo(e.value, dtype) === e.value;
  if (e.op === "roundBF16") return dtype === "BF16";
  if (e.op === "roundF16") return dtype === "F16";
  if (e.op === "cut" || (e.op === "statistic" && e.kind === "kthLargest")) return isExact(e.args[0]!, dtype);
  return CHOICES.has(e.op) && e.args.every((a) => a.type === "mask" || isExact(a, dtype));
}

/**
 * torch's rules. What reads tensors, and scalars that mergekit holds in one, round after every operation; Python's numbers are
 * float64 until they meet a tensor, then float32 in arithmetic and the tensor's dtype in comparisons.
 */
function everyOperation(root: F32, method: MergeMethod, working: WorkingDType, cast: Rewrite): F32 {
  const seen = new Map<WorkingDType, Map<Expr, Expr>>();
  const visit = (e: Expr, dtype: WorkingDType): Expr => {
    const known = seen.get(dtype)?.get(e);
    if (known) return known;
    const result = isPython(e) ? python(e) : rewrite(e, dtype);
    seen.set(dtype, (seen.get(dtype) ?? new Map<Expr, Expr>()).set(e, result));
    return result;
  };
  const isHeld = (name: string): boolean => {
    const parameter = method.parameters[name.replace(/\[\d+\]$/, "")];
    return parameter?.kind === "number" && parameter.held === true;
  };
  const isPython = (e: Expr): boolean =>
    e.scalar &&
    e.op !== "statistic" &&
    e.op !== "cut" &&
    !(e.op === "param" && isHeld(e.name)) &&
    e.args.every(isPython);
  const python = (e: Expr): Expr => unrounded(e, (leaf) => leaf);

  const operand = (e: Expr, of: Expr, dtype: WorkingDType): Expr => {
    const value = visit(e, dtype);
    if (!isPython(e) || e.type === "mask") return value;
    const once = e.args.length > 0 && e.op !== "wide" ? wide(value as F32) : (value as F32);
    return COMPARISONS.has(of.op) ? rounded(once, dtype) : once;
  };
  const rewrite = (e: Expr, dtype: WorkingDType): Expr => {
    const numbers = (): F32[] => e.args.map((a) => operand(a, e, dtype) as F32);
    switch (e.op) {
      case "input":
        return cast(e);
      case "random":
        return drawn(e.stream);
      case "param":
        return rounded(e as F32, dtype);
      case "statistic": {
        const [x, ...others] = e.args as [Expr, ...Expr[]];
        const rank = e.kind === "kthLargest";
        const ofRank = (a: Expr): Expr =>
          unrounded(
            a,
            (leaf) => leaf,
            (s) => visit(s, dtype),
          );
        const args = [visit(x, dtype), ...others.map((a) => (rank ? ofRank(a) : visit(a, dtype)))];
        const found = { ...e, args } as F32;
        return e.kind === "count" ? found : rounded(found, dtype);
      }
      case "cut":
        return { ...e, args: [visit(e.args[0]!, dtype)] };
      case "sum":
        return rounded(chain(numbers()), dtype);
      case "inFloat32":
        return rounded(visit(e.args[0]!, dtype === "F16" ? "F32" : dtype) as F32, dtype);
      case "once":
        return rounded(visit(e.args[0]!, "F32") as F32, dtype);
      case "stored":
        return visit(e.args[0]!, working);
      case "wide":
        return visit(e.args[0]!, dtype);
      default: {
        const result = { ...e, args: numbers() } as Expr;
        return result.type === "mask" ? result : rounded(result as F32, dtype);
      }
    }
  };
  return visit(root, working) as F32;
}
