/** Generation: what a language model writes after a prompt, token by likeliest token, against the answers that are right. */

import type { BuiltModel } from "../graph/families/family.ts";
import { noScores, scoreMatches } from "../score.ts";
import { itemsOf } from "../tasks/datasets.ts";
import type { TaskOf } from "../tasks/task.ts";
import type { Ignorable } from "../tasks/task-header.ts";
import { beginOf, encoderText } from "./continuations.ts";
import { languageMisfits, tokensRead } from "./language.ts";
import type { Bench, Measure, Portion } from "./measure.ts";

export const generation: Measure<"generation"> = {
  misfits(task, subject) {
    const problems = languageMisfits(task, subject, ["causal-lm", "seq2seq-lm"]);
    const room = promptRoom(task, subject.model);
    if (problems.length > 0 || room > 0) return problems;
    return [`task ${task.name}: max_new_tokens is ${task.maxNewTokens}, which leaves no token to the prompt`];
  },

  async score(portion, weights, bench, signal) {
    const { task } = portion;
    const { items, prompts } = await prepared(portion, bench);
    if (items.length === 0) return noScores("exact_match");
    const { tokenizer } = bench.datasets;
    const written = await bench.runner.generate(weights, prompts, {
      maxNewTokens: task.maxNewTokens,
      endTokens: tokenizer.ends,
      ends: (tokens) => firstStop(tokenizer.decode(tokens), task.stop) !== undefined,
      signal,
    });
    const right = items.map(({ answers }, item) => {
      const text = tokenizer.decode(written[item]!);
      const answer = normalised(text.slice(0, firstStop(text, task.stop)), task.ignore);
      return answers.some((each) => normalised(each, task.ignore) === answer);
    });
    return scoreMatches("exact_match", right);
  },
};

const hasEncoder = ({ kind }: BuiltModel): boolean => kind === "seq2seq-lm";

/** Most tokens of a prompt: what is written follows it, unless a decoder of its own writes. */
function promptRoom(task: TaskOf<"generation">, model: BuiltModel): number {
  return tokensRead(task, model) - (hasEncoder(model) ? 0 : task.maxNewTokens);
}

function prepared({ task, name, split, part }: Portion<"generation">, { runner, datasets }: Bench) {
  return datasets.prepared(task, name, part, async () => {
    const items = itemsOf(split, part);
    const maxTokens = promptRoom(task, runner.model);
    const { addSpecialTokens } = task;
    const encodings = await datasets.encodeEach(items, ({ prompt, place }) => {
      if (hasEncoder(runner.model)) {
        return [encoderText(datasets.tokenizer, prompt, { maxTokens, addSpecialTokens }, place)];
      }
      const tokens = datasets.tokenizer.ids(prompt);
      const begin = beginOf(datasets.tokenizer, addSpecialTokens, tokens, place);
      // The end of a long prompt is what asks the question.
      const ids = [...begin, ...tokens.slice(Math.max(0, tokens.length + begin.length - maxTokens))];
      return [{ ids, types: ids.map(() => 0) }];
    });
    return { items, prompts: encodings.map(({ ids }) => ids) };
  });
}

/** Where the first of the stops begins; undefined where none is. */
function firstStop(text: string, stops: readonly string[]): number | undefined {
  const places = stops.map((stop) => text.indexOf(stop)).filter((at) => at >= 0);
  return places.length === 0 ? undefined : Math.min(...places);
}

const ignoring: Readonly<Record<Ignorable, (text: string) => string>> = {
  case: (text) => text.toLowerCase(),
  punctuation: (text) => text.replaceAll(/\p{P}/gu, ""),
  articles: (text) => text.replaceAll(/\b(a|an|the)\b/gi, " "),
  whitespace: (text) => text.replaceAll(/\s+/gu, " "),
};

/** An answer without what makes no difference; blanks around it never do. */
export function normalised(text: string, ignore: readonly Ignorable[]): string {
  const order = Object.keys(ignoring) as Ignorable[];
  const rest = order.filter((each) => ignore.includes(each)).reduce((left, each) => ignoring[each](left), text);
  return rest.trim();
}
