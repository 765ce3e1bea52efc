/** What is read off a model's logits inside the graph, so that no tensor of the size of the vocabulary leaves it. */

import { int } from "./attributes.ts";
import type { ModelGraph, Value } from "./builder.ts";
import { type BuiltModel, logitsName } from "./families/family.ts";

/** Inputs of {@link tokenLogLikelihood}, both `[items, tokens]` of the logits. */
export const targetNames = {
  /** int32: the token whose log-probability is read at each place. */
  targets: "targets",
  /** float32: what that log-probability counts; 0 for places that are none of the text's. */
  weights: "target_weights",
} as const;

export const likelihoodNames = {
  /** float32 `[items, labels]`. */
  labels: "label_log_likelihood",
  /** float32 `[items]`. */
  tokens: "log_likelihood",
} as const;

/** Outputs of {@link nextTokenHead}, both `[items, 1]`. */
export const nextTokenNames = {
  /** int32: the likeliest token after the last one; of equally likely ones that with the smallest id. */
  tokens: "next_tokens",
  /** float32: its log-probability; not a finite number where a logit is none. */
  logLikelihood: "next_log_likelihood",
} as const;

/** The logits themselves. */
export function logitsHead({ graph, logits, kind }: BuiltModel): ModelGraph {
  const tokens = kind === "seq2seq-lm" ? "targets" : "tokens";
  const classifies = kind === "sequence-classification" || kind === "image-classification" || kind === "image-features";
  graph.output(logitsName, logits, "float32", classifies ? ["items", "classes"] : ["items", tokens, "vocabulary"]);
  return graph.build();
}

/**
 * `sum_t weight_t log p(target_t)`: `[items]`, not yet an output. With weights `1 / L` on the L tokens of a choice it is the choice's mean
 * log-likelihood (l_c of DF-Merge); with weights 1 the text's log-likelihood. Logits are computed from the first to the last place that counts in
 * any item only: of a choice after a long text these are few, and logits are the widest thing in a model.
 */
export function tokenLogLikelihood(model: BuiltModel): Value {
  const { graph: g, kind } = model;
  const axis = kind === "seq2seq-lm" ? "targets" : "tokens";
  const targets = g.input(targetNames.targets, "int32", ["items", axis]);
  const weights = g.input(targetNames.weights, "float32", ["items", axis]);
  const counts = g.op("Sign", [g.op("ReduceMax", [g.op("Abs", [weights]), g.int64s(0)], { keepdims: int(0) })]);
  const first = g.op("ArgMax", [counts], { axis: int(0) });
  const last = g.op("ArgMax", [counts], { axis: int(0), select_last_index: int(1) });
  const end = g.op("Add", [last, g.int64s(1)]);
  const counted = (x: Value): Value => g.op("Slice", [x, first, end, g.int64s(1)]);

  const index = g.op("Unsqueeze", [counted(targets), g.int64s(2)]);
  const logLikelihoods = g.op("LogSoftmax", [logitsAt(model, counted)], { axis: int(-1) });
  const chosen = g.op("Squeeze", [g.op("GatherElements", [logLikelihoods, index], { axis: int(2) }), g.int64s(2)]);
  return g.op("ReduceSum", [g.op("Mul", [chosen, counted(weights)]), g.int64s(1)], { keepdims: int(0) });
}

/** What a language model would write after the tokens that it has read. */
export function nextTokenHead(model: BuiltModel): ModelGraph {
  const { graph: g } = model;
  const last = logitsAt(model, (x) => g.op("Slice", [x, g.int64s(-1), g.int64s(lastPlace), g.int64s(1)]));
  const likeliest = g.cast(g.op("ArgMax", [last], { axis: int(-1), keepdims: int(0) }), "int32");
  const reduced = (op: string): Value => g.op(op, [last, g.int64s(-1)], { keepdims: int(0) });
  const logLikelihood = g.op("Sub", [reduced("ReduceMax"), reduced("ReduceLogSumExp")]);
  g.output(nextTokenNames.tokens, likeliest, "int32", ["items", 1]);
  g.output(nextTokenNames.logLikelihood, logLikelihood, "float32", ["items", 1]);
  return g.build();
}

/** Further than any sequence is long: where a slice to the end ends. */
const lastPlace = 2 ** 31 - 1;

/** A language model's logits at the places that `select` takes of `[items, tokens, features]`; the others are not computed. */
function logitsAt({ logits, logitsAt }: BuiltModel, select: (x: Value) => Value): Value {
  return logitsAt?.(select) ?? select(logits);
}
