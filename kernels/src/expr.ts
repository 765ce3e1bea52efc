// The expression language merge methods are written in: immutable nodes over the models' values at
// one position. An expression says what to compute; arithmetic.ts, semantics.ts and wasm/ say how.

/** What one input of a merge is: the base, model i, or a tensor that accompanies model i (such as its Fisher information). */
export type InputRole =
  | { readonly kind: "base" }
  | { readonly kind: "model"; readonly model: number }
  | { readonly kind: "companion"; readonly companion: string; readonly model: number };

/** Over which elements a statistic is taken. A row is a run of the last dimension; `model` is every merged tensor. */
export type Scope = "row" | "tensor" | "model";

export type UnaryOperator =
  | "abs"
  | "neg"
  | "sqrt"
  | "floor"
  | "not"
  | "wide"
  | "sin"
  | "cos"
  | "acos"
  | "powerOfTwo"
  | "exponent"
  | "roundBF16"
  | "roundF16";
export type BinaryOperator =
  | ("add" | "sub" | "mul" | "div" | "min" | "max")
  | ("eq" | "ne" | "lt" | "le" | "gt" | "ge")
  | ("and" | "or" | "xor");
export type Operator = UnaryOperator | BinaryOperator | "select";

export type ReductionKind = "sum" | "dot" | "count" | "minimum" | "maximum";

interface Node {
  /** `f32` lanes hold numbers, `mask` lanes hold true or false. */
  readonly type: "f32" | "mask";
  readonly args: readonly Expr[];
  /** True when the value is the same for every element of a kernel call: no input is read. */
  readonly scalar: boolean;
}
export interface InputExpr extends Node {
  readonly op: "input";
  readonly role: InputRole;
}
export interface ParamExpr extends Node {
  readonly op: "param";
  readonly name: string;
}
export interface ConstExpr extends Node {
  readonly op: "const";
  readonly value: number;
}
/** The number of elements in the scope of the statistic whose rank uses it. */
export interface ElementsExpr extends Node {
  readonly op: "elements";
}
/** `kthLargest` with `exact` also finds the index cut-off among equals that leaves exactly k elements. */
export interface StatisticExpr extends Node {
  readonly op: "statistic";
  readonly kind: ReductionKind | "kthLargest";
  readonly scope: Scope;
  readonly exact: boolean;
}
/**
 * The smallest value an exact `kthLargest` keeps at this element: the threshold where the element's index (in the statistic's
 * scope) is below the cut-off, the next larger number after it. A scalar, because hosts begin a new call at a cut-off.
 */
export interface CutExpr extends Node {
  readonly op: "cut";
}
/**
 * A number in [0, 1) that depends on the element's index in the tensor, the scalar `randomKey` and the stream only. The argument
 * is a scalar mask, if there is one: whether mergekit draws numbers for that stream at all.
 */
export interface RandomExpr extends Node {
  readonly op: "random";
  readonly stream: number;
}
/** The number mergekit draws for this element: read like an input, from where hosts lay the generator's output. */
export interface DrawnExpr extends Node {
  readonly op: "drawn";
  readonly stream: number;
}
/** Where a value stands in its row: 0 the smallest, 1 the largest, equals by index. The argument has no statistics. */
export interface RankExpr extends Node {
  readonly op: "rank";
}
export interface OperatorExpr extends Node {
  readonly op: Operator;
}
/** Says how mergekit computes something; arithmetic.ts writes it in operators, so that nothing later sees one. */
export interface MarkExpr extends Node {
  readonly op: "sum" | "inFloat32" | "once" | "stored";
}
export type Expr =
  | InputExpr
  | ParamExpr
  | ConstExpr
  | ElementsExpr
  | StatisticExpr
  | CutExpr
  | RandomExpr
  | DrawnExpr
  | RankExpr
  | OperatorExpr
  | MarkExpr;
export type F32 = Expr & { readonly type: "f32" };
export type Mask = Expr & { readonly type: "mask" };

type Value = F32 | number;
const wrap = (x: Value): F32 => (typeof x === "number" ? constant(x) : x);

function operator<T extends "f32" | "mask">(type: T, op: Operator, args: readonly Expr[]): OperatorExpr & { type: T } {
  return { type, op, args, scalar: args.every((a) => a.scalar) };
}
const arithmetic =
  (op: BinaryOperator) =>
  (a: Value, b: Value): F32 =>
    operator("f32", op, [wrap(a), wrap(b)]);
const comparison =
  (op: BinaryOperator) =>
  (a: Value, b: Value): Mask =>
    operator("mask", op, [wrap(a), wrap(b)]);
const logical =
  (op: BinaryOperator) =>
  (a: Mask, b: Mask): Mask =>
    operator("mask", op, [a, b]);
const unary =
  (op: UnaryOperator) =>
  (a: Value): F32 =>
    operator("f32", op, [wrap(a)]);

export const input = (role: InputRole): F32 => ({ type: "f32", op: "input", role, args: [], scalar: false });
export const param = (name: string): F32 => ({ type: "f32", op: "param", name, args: [], scalar: true });
export const constant = (value: number): F32 => ({ type: "f32", op: "const", value, args: [], scalar: true });
export const elements: F32 = { type: "f32", op: "elements", args: [], scalar: true };

/**
 * Uniform in [0, 1), in steps of 2^-24; streams (one for each model) are independent. Where the scalar mask `draws` is false the
 * result does not depend on the number, and mergekit takes none from its generator.
 */
export const random = (stream: number, draws?: Mask): F32 => ({
  type: "f32",
  op: "random",
  stream,
  args: draws ? [draws] : [],
  scalar: false,
});
export const drawn = (stream: number): F32 => ({ type: "f32", op: "drawn", stream, args: [], scalar: false });

/** Where x stands in its row, from 0 (smallest) to 1 (largest), equals by index; 0.5 in a row of one. Costs a sort of each row. */
export const rankInRow = (x: F32): F32 => ({ type: "f32", op: "rank", args: [x], scalar: false });

type Arithmetic = (a: Value, b: Value) => F32;
type Comparison = (a: Value, b: Value) => Mask;
export const add: Arithmetic = arithmetic("add");
export const sub: Arithmetic = arithmetic("sub");
export const mul: Arithmetic = arithmetic("mul");
export const div: Arithmetic = arithmetic("div");
/** The smaller one; when either is NaN, the first. */
export const min: Arithmetic = arithmetic("min");
/** The larger one; when either is NaN, the first. */
export const max: Arithmetic = arithmetic("max");
export const eq: Comparison = comparison("eq");
export const ne: Comparison = comparison("ne");
export const lt: Comparison = comparison("lt");
export const le: Comparison = comparison("le");
export const gt: Comparison = comparison("gt");
export const ge: Comparison = comparison("ge");
export const and: (a: Mask, b: Mask) => Mask = logical("and");
export const or: (a: Mask, b: Mask) => Mask = logical("or");
export const xor: (a: Mask, b: Mask) => Mask = logical("xor");
export const not = (a: Mask): Mask => operator("mask", "not", [a]);
export const abs: (a: Value) => F32 = unary("abs");
export const neg: (a: Value) => F32 = unary("neg");
export const sqrt: (a: Value) => F32 = unary("sqrt");
export const floor: (a: Value) => F32 = unary("floor");
/** 2^n for a whole n, limited to -126 and 127. */
export const powerOfTwo: (n: Value) => F32 = unary("powerOfTwo");
/** The n of 2^n <= x < 2^(n+1), for a positive, normal x. */
export const exponent: (x: Value) => F32 = unary("exponent");
export const select = (mask: Mask, a: Value, b: Value): F32 => operator("f32", "select", [mask, wrap(a), wrap(b)]);

const onScalars =
  (op: UnaryOperator) =>
  (a: F32): F32 => {
    if (!a.scalar) throw new TypeError(`${op}() takes a scalar expression: it may not read an input`);
    return operator("f32", op, [a]);
  };
/** Evaluates a scalar expression in float64 on the host and rounds once; for what float32 would overflow or underflow. */
export const wide: (a: F32) => F32 = onScalars("wide");
export const sin: (a: F32) => F32 = onScalars("sin");
export const cos: (a: F32) => F32 = onScalars("cos");
export const acos: (a: F32) => F32 = onScalars("acos");

const mark = (op: MarkExpr["op"], args: readonly F32[]): F32 => ({
  type: "f32",
  op,
  args,
  scalar: args.every((a) => a.scalar),
});
/** Sum in the given order, one float32 rounding per addition: the order is part of the result. A narrower dtype rounds it once. */
export const sum = (xs: readonly F32[]): F32 => mark("sum", xs);
/** What `f` makes of x, which mergekit computes in float32 where its dtype is float16. */
export const inFloat32 = (x: F32, f: (x: F32) => F32): F32 => mark("inFloat32", [f(mark("stored", [x]))]);

/** What `f` makes of the xs in one operation of mergekit's, such as a norm or a mean: rounded once. */
export const once = (xs: readonly F32[], f: (...xs: F32[]) => F32): F32 =>
  mark("once", [f(...xs.map((x) => mark("stored", [x])))]);

/** Rounds to the nearest number that bfloat16, or float16, can represent. */
export const roundBF16: (a: Value) => F32 = unary("roundBF16");
export const roundF16: (a: Value) => F32 = unary("roundF16");

function statistic(kind: StatisticExpr["kind"], scope: Scope, args: readonly Expr[], exact = false): StatisticExpr {
  return { type: "f32", op: "statistic", kind, scope, exact, args, scalar: true };
}
/** Σ x over the scope, accumulated in float64. */
export const sumOver = (scope: Scope, x: F32): F32 => statistic("sum", scope, [x]) as F32;
/** Σ x·y over the scope, multiplied and accumulated in float64. */
export const dotOver = (scope: Scope, x: F32, y: F32): F32 => statistic("dot", scope, [x, y]) as F32;
/** How many elements of the scope are true. */
export const countOver = (scope: Scope, x: Mask): F32 => statistic("count", scope, [x]) as F32;
export const minimumOver = (scope: Scope, x: F32): F32 => statistic("minimum", scope, [x]) as F32;
export const maximumOver = (scope: Scope, x: F32): F32 => statistic("maximum", scope, [x]) as F32;

/**
 * The value of rank k (1 = largest) in the scope. k may be a scalar expression of parameters, statistics and `elements`,
 * evaluated in float64. k < 1 gives +Infinity and k >= the number of elements -Infinity, so that `ge(x, it)` keeps none or all.
 * NaN counts as larger than everything.
 */
export const kthLargest = (scope: Scope, x: F32, k: F32): F32 => statistic("kthLargest", scope, [x, k]) as F32;

/** True for exactly the k largest values of the scope; among equals at the cut, the lowest indexes. */
export function largest(scope: "row" | "tensor", x: F32, k: F32): Mask {
  const threshold = statistic("kthLargest", scope, [x, k], true) as F32;
  const cut: CutExpr = { type: "f32", op: "cut", args: [threshold], scalar: true };
  return ge(x, cut as F32);
}
