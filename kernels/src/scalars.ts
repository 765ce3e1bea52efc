// Scalar expressions (of parameters and statistics' results only) evaluated on the host once per
// call: loop invariants of kernels, and the ranks of order statistics.
import type { Expr, StatisticExpr } from "./expr.ts";
import { cutName } from "./graph.ts";
import { OPERATORS, type Precision, rounding } from "./semantics.ts";
import type { MergeGraph, Scalars } from "./types.ts";

type Source =
  | { readonly name: string }
  | { readonly value: number }
  | { readonly run: (a: number, b: number, c: number) => number; readonly args: readonly [number, number, number] };
interface Step {
  readonly source: Source;
  readonly round: (x: number) => number;
}

export type ScalarProgram = (scalars: Scalars, into: Float64Array | Float32Array) => void;

/** The name under which `elements` is looked up. */
export const ELEMENTS = "elements";

function lookUp(scalars: Scalars, name: string): number {
  const value = scalars[name];
  if (value === undefined)
    throw new RangeError(
      `scalar ${name} is missing: pass a value for every parameter and every earlier stage's results`,
    );
  return value;
}

/**
 * Compiles the expressions to a flat list of steps; running it writes their values, in order. In float32 every operation rounds,
 * as in a kernel, except below `wide`.
 */
export function compileScalars(
  exprs: readonly Expr[],
  nameOf: (statistic: StatisticExpr) => string,
  precision: Precision,
): ScalarProgram {
  const steps: Step[] = [];
  const narrow = rounding(precision);
  const exact = rounding("float64");
  const places = { narrow: new Map<Expr, number>(), wide: new Map<Expr, number>() };
  const visit = (e: Expr, inWide: boolean): number => {
    const seen = inWide ? places.wide : places.narrow;
    const known = seen.get(e);
    if (known !== undefined) return known;
    const round = inWide ? exact : narrow;
    const source = sourceOf(e, inWide || e.op === "wide");
    const place = steps.push({ source, round }) - 1;
    seen.set(e, place);
    return place;
  };
  const sourceOf = (e: Expr, inWide: boolean): Source => {
    switch (e.op) {
      case "param":
        return { name: e.name };
      case "const":
        return { value: e.value };
      case "elements":
        return { name: ELEMENTS };
      case "statistic":
        return { name: nameOf(e) };
      case "cut":
        return { name: cutName(nameOf(e.args[0] as StatisticExpr)) };
      case "input":
      case "random":
      case "drawn":
      case "rank":
        throw new TypeError(`${e.op} is not a scalar`);
      case "sum":
      case "inFloat32":
      case "once":
      case "stored":
        throw new TypeError(`${e.op} is a mark: it is written in operators before it is computed`);
      default: {
        const [a = 0, b = 0, c = 0] = e.args.map((x) => visit(x, inWide));
        return { run: OPERATORS[e.op], args: [a, b, c] };
      }
    }
  };
  const results = exprs.map((e) => visit(e, false));
  const values = new Float64Array(steps.length);
  return (scalars, into) => {
    for (let i = 0; i < steps.length; i++) {
      const { source, round } = steps[i]!;
      if ("run" in source) {
        const [a, b, c] = source.args;
        values[i] = round(source.run(values[a]!, values[b]!, values[c]!));
      } else values[i] = round("name" in source ? lookUp(scalars, source.name) : source.value);
    }
    for (let i = 0; i < results.length; i++) into[i] = values[results[i]!]!;
  };
}

/** The scales of an artefact's models, in float64, from the parameters and the results of all stages. */
export function scaleValues({ scales, nameOf }: MergeGraph, scalars: Scalars): number[] {
  const found = new Float64Array(scales.length);
  compileScalars(scales, nameOf, "float64")(scalars, found);
  return [...found];
}

/** The streams that take numbers from mergekit's generator for a tensor with these parameters, in order. */
export function drawingStreams({ draws, nameOf }: MergeGraph, scalars: Scalars): number[] {
  const taken = new Float64Array(1);
  return draws.flatMap(({ stream, when }) => {
    if (when === undefined) return [stream];
    compileScalars([when], nameOf, "float64")(scalars, taken);
    return taken[0] ? [stream] : [];
  });
}
