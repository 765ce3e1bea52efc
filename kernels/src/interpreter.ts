// The oracle: evaluates a whole method over plain arrays of numbers, one element and one operation
// at a time, order statistics by sorting. In float32 every operation is rounded as a kernel rounds it,
// in float64 it is the mathematics. Slow on purpose.
import { topological } from "./canonical.ts";
import type { Expr, InputRole, Scope, StatisticExpr } from "./expr.ts";
import { cutName, cutoffName, sameRole } from "./graph.ts";
import { RANDOM_KEY, RANDOM_SEED, randomOffset, streamWords, uniformAt } from "./random.ts";
import { rankFractions } from "./rank.ts";
import { compileScalars, ELEMENTS } from "./scalars.ts";
import { OPERATORS, type Precision, rounding } from "./semantics.ts";
import { Twister } from "./twister.ts";
import type { MergeGraph, Scalars } from "./types.ts";

export interface PlainTensor {
  /** One array for each of the graph's inputs. */
  readonly inputs: readonly ArrayLike<number>[];
  /** Length of the last dimension; the whole tensor when left out. */
  readonly rowElements?: number;
  /** The parameters' values for this tensor. */
  readonly scalars: Scalars;
}

/** A row of a tensor: the unit in which the values of scalars are constant. */
interface Row {
  readonly tensor: PlainTensor;
  readonly from: number;
  readonly to: number;
  /** Results of statistics so far, shared by the rows of a scope. */
  readonly results: { readonly [scope in Scope]: Record<string, number> };
}

/** Merges whole tensors that together are the model; in float64 the results are not rounded at all. */
export function interpret(graph: MergeGraph, tensors: readonly PlainTensor[], precision: Precision): Float64Array[] {
  const model = {};
  const rows = tensors.map((tensor) => rowsOf(tensor, model));
  const scopes: { readonly [scope in Scope]: readonly Row[][] } = {
    row: rows.flat().map((row) => [row]),
    tensor: rows,
    model: [rows.flat()],
  };
  const statistics = topological([graph.output], () => false).filter((e) => e.op === "statistic");
  for (const s of statistics) {
    for (const scope of scopes[s.scope]) {
      if (scope[0]) Object.assign(scope[0].results[s.scope], resultOf(graph, s, scope, precision));
    }
  }
  return rows.map((all) => Float64Array.from(valuesOf(graph, graph.output, all, precision)));
}

function rowsOf(tensor: PlainTensor, model: Record<string, number>): Row[] {
  const elements = tensor.inputs[0]?.length ?? 0;
  const length = tensor.rowElements ?? elements;
  const shared = {};
  return Array.from({ length: Math.ceil(elements / length) || 0 }, (_, i) => ({
    tensor,
    from: i * length,
    to: (i + 1) * length,
    results: { model, tensor: shared, row: {} },
  }));
}

const scalarsOf = (row: Row): Scalars => ({
  ...row.tensor.scalars,
  ...row.results.model,
  ...row.results.tensor,
  ...row.results.row,
});

/** The expression's value at every element of the rows, in order. */
function valuesOf(graph: MergeGraph, root: Expr, rows: readonly Row[], precision: Precision): number[] {
  const nodes = topological([root], (e) => e.scalar || e.op === "rank");
  const place = new Map(nodes.map((e, i) => [e, i]));
  const scalars = nodes.filter((e) => e.scalar);
  const run = compileScalars(scalars, graph.nameOf, precision);
  const round = rounding(precision);
  const found = new Float64Array(scalars.length);
  const values = new Float64Array(nodes.length);
  const out: number[] = [];
  const cuts = topological(scalars, (e) => e.op === "statistic").flatMap((e) =>
    e.op === "cut" ? [e.args[0] as StatisticExpr] : [],
  );
  for (const row of rows) {
    const ranks = new Map(
      nodes.flatMap((e) =>
        e.op === "rank"
          ? [[e, rankFractions(Float32Array.from(valuesOf(graph, e.args[0]!, [row], precision)))] as const]
          : [],
      ),
    );
    const drawn = new Map(nodes.flatMap((e) => (e.op === "drawn" ? [[e, drawnNumbers(row, e.stream)] as const] : [])));
    const setScalars = (element: number): void => {
      run(cutsAt(graph, cuts, row, element, precision), found);
      scalars.forEach((e, i) => {
        values[place.get(e)!] = found[i]!;
      });
    };
    setScalars(row.from);
    for (let element = row.from; element < row.to; element++) {
      if (cuts.length) setScalars(element);
      nodes.forEach((e, i) => {
        if (e.scalar) return;
        if (e.op === "input") values[i] = round(row.tensor.inputs[inputIndex(graph, e.role)]![element]!);
        else if (e.op === "rank") values[i] = ranks.get(e)![element - row.from]!;
        else if (e.op === "drawn") values[i] = drawn.get(e)![element - row.from]!;
        else if (e.op === "random")
          values[i] = uniformAt(streamWords(row.tensor.scalars[RANDOM_KEY]!, e.stream), element);
        else {
          const [a = 0, b = 0, c = 0] = e.args.map((x) => values[place.get(x)!]!);
          values[i] = round(OPERATORS[e.op as keyof typeof OPERATORS](a, b, c));
        }
      });
      out.push(values[place.get(root)!]!);
    }
  }
  return out;
}

function drawnNumbers({ tensor, from, to }: Row, stream: number): Float32Array {
  const numbers = new Float32Array(to - from);
  new Twister(tensor.scalars[RANDOM_SEED]!).fill(tensor.scalars[randomOffset(stream)]! + from, numbers);
  return numbers;
}

/** What exact selections keep at an element: the threshold before the cut-off, anything larger after it. */
function cutsAt(
  graph: MergeGraph,
  cuts: readonly StatisticExpr[],
  row: Row,
  element: number,
  precision: Precision,
): Scalars {
  const scalars = scalarsOf(row);
  const values = cuts.map((s) => {
    const name = graph.nameOf(s);
    const index = s.scope === "row" ? element - row.from : element;
    const threshold = scalars[name]!;
    return [cutName(name), index < scalars[cutoffName(name)]! ? threshold : nextAfter(threshold, precision)] as const;
  });
  return { ...scalars, ...Object.fromEntries(values) };
}

function nextAfter(value: number, precision: Precision): number {
  if (!Number.isFinite(value)) return value;
  const [float, bits] = precision === "float32" ? [new Float32Array(1), 32] : [new Float64Array(1), 64];
  const word = new DataView(float.buffer);
  float[0] = value + 0;
  const step = value < 0 ? -1n : 1n;
  if (bits === 32) word.setUint32(0, word.getUint32(0, true) + Number(step), true);
  else word.setBigUint64(0, word.getBigUint64(0, true) + step, true);
  return float[0];
}

const inputIndex = (graph: MergeGraph, role: InputRole): number => graph.inputs.findIndex((r) => sameRole(r, role));

function resultOf(graph: MergeGraph, s: StatisticExpr, rows: readonly Row[], precision: Precision): Scalars {
  const name = graph.nameOf(s);
  const x = valuesOf(graph, s.args[0]!, rows, precision);
  switch (s.kind) {
    case "sum":
    case "count":
      return { [name]: x.reduce((a, b) => a + b, 0) };
    case "dot": {
      const y = valuesOf(graph, s.args[1]!, rows, precision);
      return { [name]: x.reduce((a, b, i) => a + b * y[i]!, 0) };
    }
    case "minimum":
      return { [name]: x.reduce((a, b) => Math.min(a, b), Infinity) };
    case "maximum":
      return { [name]: x.reduce((a, b) => Math.max(a, b), -Infinity) };
    case "kthLargest": {
      const rank = new Float64Array(1);
      const scalars = { ...scalarsOf(rows[0]!), [ELEMENTS]: x.length };
      compileScalars([s.args[1]!], graph.nameOf, "float64")(scalars, rank);
      const { threshold, cutoff } = kthOf(x, Math.floor(rank[0]!));
      return s.exact ? { [name]: threshold, [cutoffName(name)]: cutoff } : { [name]: threshold };
    }
  }
}

function kthOf(x: readonly number[], rank: number): { threshold: number; cutoff: number } {
  if (rank < 1) return { threshold: Infinity, cutoff: 0 };
  if (rank >= x.length) return { threshold: -Infinity, cutoff: Infinity };
  const order = x.map((value, index) => ({ value, index })).sort((a, b) => b.value - a.value || a.index - b.index);
  const { value, index } = order[rank - 1]!;
  return { threshold: value, cutoff: index + 1 };
}
