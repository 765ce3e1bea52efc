/**
 * The two programs of an estimate: one gives the log-likelihoods of an item's answers, the other adds the squared gradients of chosen answers to
 * running sums that never leave onnxruntime between the items of a range.
 */

import { int } from "../graph/attributes.ts";
import type { GraphBuilder, Value } from "../graph/builder.ts";
import type { BuiltModel } from "../graph/families/family.ts";
import { differentiate } from "../graph/gradient/differentiate.ts";
import { likelihoodNames, tokenLogLikelihood } from "../graph/heads.ts";
import type { BatchLimits } from "../session/batches.ts";
import { float32, type Program, programOf, type Tensors } from "../session/program.ts";
import { runLimits } from "./limits.ts";

/** What the answers of an item are. */
export type AnswerHead =
  /** Logits of a classifier: `labels` of its `classes`, from `offset`. One text or image has all answers. */
  | { readonly kind: "labels"; readonly offset: number; readonly labels: number; readonly classes: number }
  /** Target tokens: each answer is a text of its own. */
  | { readonly kind: "tokens" };

export type HeadKind = AnswerHead["kind"];

/** Input of programs for labels, float32 `[1, classes]`: 1 for the task's own. An input, so that all tasks of a model share its programs. */
const labelMaskName = "label_mask";
/** Stands for the other logits: nothing is left of its exponential. */
const noLogit = -1e30;

/** What programs read of the head itself. */
export function headFeeds(head: AnswerHead): Tensors {
  if (head.kind === "tokens") return {};
  const mask = new Float32Array(head.classes).fill(1, head.offset, head.offset + head.labels);
  return { [labelMaskName]: float32([1, head.classes], mask) };
}

/** Input of the squares' program, float32: what each log-likelihood weighs, `[rows, classes]` or `[rows]`; see {@link squaresProgram}. */
export const cotangentName = "cotangent";

const sumName = (tensor: string): string => `fisher:${tensor}`;
const beforeName = (tensor: string): string => `before:${tensor}`;

/** Output: `[items, classes]` or `[items]`, under the name of the head's kind in {@link likelihoodNames}. */
export function likelihoodProgram(model: BuiltModel, kind: HeadKind): Program {
  const dims = kind === "labels" ? ["items", "classes"] : ["items"];
  model.graph.output(likelihoodNames[kind], likelihood(model, kind), "float32", dims);
  return programOf(model.graph.build());
}

/** Names in the program that draws tokens. */
export const drawNames = {
  /** Input, float32 `[items, places]`: uniform numbers in [0, 1). */
  uniform: "uniform",
  /** Output, int32 `[items, places]`. */
  tokens: "drawn_tokens",
} as const;

/** Draws a token at each place of a language model's logits, from what it gives to all tokens there. */
export function drawProgram({ graph: g, logits, kind }: BuiltModel): Program {
  const axis = kind === "seq2seq-lm" ? "targets" : "tokens";
  const uniform = g.op("Unsqueeze", [g.input(drawNames.uniform, "float32", ["items", axis]), g.int64s(2)]);
  const cumulative = g.op("CumSum", [g.op("Softmax", [logits], { axis: int(-1) }), g.int64(2)]);
  // Rounding may leave the last sum a little below or above one; the last token is what is left when none before it is drawn.
  const part = (from: number, to: number): Value =>
    g.op("Slice", [cumulative, g.int64s(from), g.int64s(to), g.int64s(2)]);
  const bound = g.op("Mul", [uniform, part(-1, 2 ** 31 - 1)]);
  const passed = g.cast(g.op("LessOrEqual", [part(0, -1), bound]), "int32");
  const tokens = g.op("ReduceSum", [passed, g.int64s(2)], { keepdims: int(0) });
  g.output(drawNames.tokens, tokens, "int32", ["items", axis]);
  return programOf(g.build());
}

export interface SquaresProgram {
  readonly program: Program;
  /** The running sum of each tensor, by the name of its output. */
  readonly tensors: ReadonlyMap<string, string>;
  /** What goes into one run. */
  readonly limits: BatchLimits;
}

/**
 * Adds to the sum of each tensor the squares of `d (cotangent . log-likelihoods) / d tensor`, row by row of the cotangent. Where the head is one of
 * labels, a run of one text may have any number of rows, and reads the text once; else there are as many rows as texts.
 * @param wanted names of the graph's weights
 */
export async function squaresProgram(
  model: BuiltModel,
  kind: HeadKind,
  wanted: readonly string[],
): Promise<SquaresProgram> {
  const { graph } = model;
  const output = likelihood(model, kind);
  const dims = kind === "labels" ? ["rows", "classes"] : ["rows"];
  const cotangent = graph.input(cotangentName, "float32", dims);
  const limits = runLimits(model, wanted);
  const before = new Map(
    wanted.map((tensor) => [tensor, graph.input(beforeName(tensor), "float32", graph.weights.get(tensor)!)]),
  );
  const sums =
    model.itemsApart === false
      ? await squaresOfOne(graph, { output, cotangent, before })
      : await differentiate(graph, { output, cotangent, wrt: wanted, reduction: "squares", onto: before });
  const carried = [...sums].map(([tensor, sum]) => {
    const shape = graph.weights.get(tensor)!;
    graph.output(sumName(tensor), sum, "float32", shape);
    return { input: beforeName(tensor), output: sumName(tensor), shape };
  });
  return {
    program: programOf(graph.build(), carried),
    tensors: new Map([...sums.keys()].map((tensor) => [sumName(tensor), tensor])),
    // Gradients that cannot be kept apart are had of one row at a time.
    limits: model.itemsApart === false ? { ...limits, items: 1 } : limits,
  };
}

/** The squares of the gradients of one row, added to what was before. */
async function squaresOfOne(
  graph: GraphBuilder,
  {
    output,
    cotangent,
    before,
  }: Record<"output" | "cotangent", Value> & { readonly before: ReadonlyMap<string, Value> },
): Promise<Map<string, Value>> {
  const gradients = await differentiate(graph, { output, cotangent, wrt: before.keys(), reduction: "sum" });
  return new Map(
    [...gradients].map(([tensor, gradient]) => {
      const square = graph.op("Mul", [gradient, gradient]);
      return [tensor, graph.op("Add", [before.get(tensor)!, square])];
    }),
  );
}

function likelihood(model: BuiltModel, kind: HeadKind): Value {
  if (kind === "tokens") return tokenLogLikelihood(model);
  const { graph: g, logits, labels } = model;
  const own = g.op("Greater", [g.input(labelMaskName, "float32", [1, labels!]), g.floats([], [0])]);
  return g.op("LogSoftmax", [g.op("Where", [own, logits, g.floats([], [noLogit])])], { axis: int(-1) });
}
