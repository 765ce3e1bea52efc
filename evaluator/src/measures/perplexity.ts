/**
 * Perplexity: exp of minus the mean log-likelihood of a token, over the tokens of all texts. A window slides over each text; every token is scored
 * once, with all tokens of its window before it. With a stride of the window's length that is lm-evaluation-harness's rolling log-likelihood.
 */

import { EvaluatorError } from "../errors.ts";
import { noScores, scoreTokens } from "../score.ts";
import type { Encoding } from "../session/batches.ts";
import { requireFinite } from "../session/model-runner.ts";
import { itemsOf, type Placed } from "../tasks/datasets.ts";
import { WHOLE } from "../tasks/pieces.ts";
import type { TextExample } from "../tasks/task-data.ts";
import { beginOf } from "./continuations.ts";
import { languageMisfits, windowTokens } from "./language.ts";
import type { Bench, Measure, Portion } from "./measure.ts";

export const perplexity: Measure<"perplexity"> = {
  misfits(task, subject) {
    const problems = languageMisfits(task, subject, ["causal-lm"]);
    if (problems.length > 0) return problems;
    const window = windowTokens(task, subject.model);
    if ((task.stride ?? window) <= window) return [];
    return [`task ${task.name}: stride is ${task.stride}, and would leave out tokens between windows of ${window}`];
  },

  async score(portion, weights, bench, signal) {
    const { items, batches, windows, counts, meanCount } = await prepared(portion, bench);
    if (items.length === 0) return noScores("perplexity");
    const ofWindows = await bench.runner.logLikelihoods(weights, batches, signal);
    let next = 0;
    const logLikelihoods = windows.map((count, item) => {
      const found = Array.from({ length: count }, () => ofWindows[next++]!);
      requireFinite(found, "log-likelihoods", items[item]!.place);
      return found.reduce((sum, value) => sum + value, 0);
    });
    return scoreTokens(logLikelihoods, counts, meanCount);
  },
};

interface Windows {
  readonly items: readonly (TextExample & Placed)[];
  readonly batches: ReturnType<Bench["datasets"]["batches"]>;
  /** Windows and scored tokens of each item. */
  readonly windows: readonly number[];
  readonly counts: readonly number[];
  /** Tokens of an item of the whole split, on average: what makes parts of it comparable. */
  readonly meanCount: number;
}

function prepared({ task, name, split, part }: Portion<"perplexity">, { runner, datasets }: Bench): Promise<Windows> {
  return datasets.prepared(task, name, part, async () => {
    const size = windowTokens(task, runner.model);
    const { tokenizer } = datasets;
    const all = itemsOf(split, WHOLE);
    const items = itemsOf(split, part);
    const windows: number[] = [];
    const counts: number[] = [];
    const encodings = await datasets.encodeEach(items, ({ text, place }) => {
      const tokens = tokenizer.ids(text);
      if (tokens.length === 0) throw new EvaluatorError(`${place}: the text has no token`);
      const begin = beginOf(tokenizer, task.addSpecialTokens, [], place);
      const found = windowsOf([...begin, ...tokens], begin.length, { size, stride: task.stride ?? size });
      windows.push(found.length);
      counts.push(tokens.length);
      return found;
    });
    const total = all.length === items.length ? sum(counts) : sum(all.map(({ text }) => tokenizer.ids(text).length));
    return { items, batches: datasets.batches(encodings), windows, counts, meanCount: total / all.length };
  });
}

/**
 * Windows of `size` tokens, each with the targets that no window before it had; the first targets are those after `begin` tokens.
 * `stride` is at most `size`.
 */
export function windowsOf(
  tokens: readonly number[],
  begin: number,
  { size, stride }: { readonly size: number; readonly stride: number },
): Encoding[] {
  const windows: Encoding[] = [];
  // Targets before `scored` have been had; the last target of a window is the token after its last.
  for (let scored = begin; scored < tokens.length; ) {
    const end = Math.min(tokens.length, windows.length === 0 ? size + 1 : scored + stride);
    const start = Math.max(0, end - 1 - size);
    const ids = tokens.slice(start, end - 1);
    const targets = tokens.slice(start + 1, end);
    const from = scored - start - 1;
    windows.push({
      ids,
      types: ids.map(() => 0),
      targets: {
        ids: targets.map((id, at) => (at >= from ? id : 0)),
        weights: targets.map((_, at) => (at >= from ? 1 : 0)),
      },
    });
    scored = end;
  }
  return windows;
}

const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);
