import fc from "fast-check";
import { expect, test } from "vitest";
import { parseJsonObject } from "../json-file.ts";
import type { JsonObject } from "../json-scanner.ts";
import { readRuns } from "../row-runs.ts";
import { configOfUnion } from "./files.ts";
import { planRows, type RowPlan, type TokenRule } from "./rows.ts";
import { readTokenizer } from "./tokenizer.ts";
import { uniteTokenizers } from "./union.ts";

const json = (value: unknown): JsonObject =>
  parseJsonObject(new TextEncoder().encode(JSON.stringify(value)), "tokenizer.json");
const read = (value: unknown) => readTokenizer(json(value), "tokenizer.json");
const of = (name: string, value: unknown, rows = Number.POSITIVE_INFINITY) => ({ name, tokenizer: read(value), rows });

const bpe = (tokens: readonly string[], merges: readonly unknown[] = [], added: readonly unknown[] = []) => ({
  added_tokens: added,
  pre_tokenizer: { type: "ByteLevel" },
  model: { type: "BPE", vocab: Object.fromEntries(tokens.map((token, id) => [token, id])), merges },
});
const special = (id: number, content: string) => ({ id, content, special: true, normalized: false });

test("a union keeps the first tokenizer's ids, appends what it lacks in the others' order, and unites merges", () => {
  const base = bpe(["a", "b", "ab"], ["a b"], [special(3, "<s>")]);
  const other = bpe(["b", "a", "ba", "c", "bac"], ["b a", "ba c"], [special(5, "<s>"), special(6, "<tool>")]);
  const united = uniteTokenizers(of("base", base), [of("other", other)]);
  expect([...united.ids]).toEqual([
    ["a", 0],
    ["b", 1],
    ["ab", 2],
    ["<s>", 3],
    ["ba", 4],
    ["c", 5],
    ["bac", 6],
    ["<tool>", 7],
  ]);
  expect(united.json).toMatchObject({ pre_tokenizer: { type: "ByteLevel" } });
  expect(united.json!["added_tokens"]).toEqual([special(3, "<s>"), special(7, "<tool>")]);
  expect((united.json!["model"] as JsonObject)["merges"]).toEqual(["a b", "b a", "ba c"]);
  // Every token has its id in the model's vocabulary, so that no loader numbers it anew.
  expect(read(united.json).ids).toEqual(united.ids);
});

test("tokens without a row are left out, with the merges that need them", () => {
  const base = bpe(["a", "b", "ab"], ["a b"], [special(3, "<pad>")]);
  const united = uniteTokenizers(of("base", base, 2), []);
  expect(united).toMatchObject({ size: 2, dropped: ["ab", "<pad>"], more: [] });
  expect(united.json).toMatchObject({ added_tokens: [], model: { vocab: { a: 0, b: 1 }, merges: [] } });
  const config = { added_tokens_decoder: { "3": { content: "<pad>" } }, eos_token: "a" };
  expect(configOfUnion(json(config), united)).toEqual({ added_tokens_decoder: {}, eos_token: "a" });
});

test("merges are written as the first tokenizer writes them, unless a part has a space", () => {
  const merges = (base: readonly unknown[], other: readonly unknown[]) => {
    const first = of("base", bpe(["a", "b", "ab"], base));
    const united = uniteTokenizers(first, [of("other", bpe(["a", " ", "a ", "c", "ac"], other))]);
    return (united.json!["model"] as JsonObject)["merges"];
  };
  expect(merges(["a b"], [["a", "c"]])).toEqual(["a b", "a c"]);
  expect(merges([["a", "b"]], ["a c"])).toEqual([
    ["a", "b"],
    ["a", "c"],
  ]);
  expect(merges(["a b"], [["a", " "]])).toEqual([
    ["a", "b"],
    ["a", " "],
  ]);
});

test("Unigram tokens keep their scores, and an id without a token is filled", () => {
  const unigram = (vocab: readonly [string, number][], added: readonly unknown[] = []) => ({
    added_tokens: added,
    model: { type: "Unigram", unk_id: 0, vocab },
  });
  const base = unigram(
    [
      ["<unk>", 0],
      ["a", -1.5],
    ],
    [special(3, "<mask>")],
  );
  const other = unigram([
    ["<unk>", 0],
    ["b", -2.5],
  ]);
  const united = uniteTokenizers(of("base", base), [of("other", other)]);
  expect((united.json!["model"] as JsonObject)["vocab"]).toEqual([
    ["<unk>", 0],
    ["a", -1.5],
    ["\u0000unused 2\u0000", 0],
    ["<mask>", 0],
    ["b", -2.5],
  ]);
});

test("tokenizers of two kinds have no union, and what is no tokenizer is told", () => {
  const wordPiece = { model: { type: "WordPiece", vocab: { a: 0 } } };
  expect(() => uniteTokenizers(of("base", bpe(["a"])), [of("other", wordPiece)])).toThrow(
    /other: its tokenizer is WordPiece, but that of base is BPE.*tokenizer_source/,
  );
  expect(() => read({})).toThrow(/no `model`/);
  expect(() => read({ model: { type: "Tiktoken" } })).toThrow(/"Tiktoken"/);
  expect(() => read({ model: { type: "BPE", vocab: { a: -1 } } })).toThrow(/token "a" has the id -1/);
  expect(() => read({ model: { type: "BPE", vocab: { a: 1e9 } } })).toThrow(/1000000000/);
  expect(() => read({ model: { type: "BPE", vocab: { a: 0 }, merges: ["a b c"] } })).toThrow(/merge 0/);
  expect(() => read({ model: { type: "Unigram", vocab: [["a"]] } })).toThrow(/item 0/);
  expect(() => read({ ...bpe(["a"]), added_tokens: [{ id: 4 }] })).toThrow(/no `content`/);
});

const tokenSets = fc.uniqueArray(fc.string({ minLength: 1, maxLength: 3 }), { minLength: 1, maxLength: 12 });

test("a union with the same tokenizer, or with part of it, changes nothing", () => {
  fc.assert(
    fc.property(tokenSets, fc.nat(), (tokens, cut) => {
      const part = tokens.slice(0, 1 + (cut % tokens.length)).toReversed();
      const united = uniteTokenizers(of("base", bpe(tokens)), [of("same", bpe(tokens)), of("part", bpe(part))]);
      expect(united.json).toBeUndefined();
      expect(united.more).toEqual([]);
      const model = { ids: united.ids, rows: tokens.length };
      const plan = { ids: united.ids, size: united.size, rows: united.size, base: 0, rules: new Map() };
      expect(planRows({ ...plan, models: [model, model] }).every(({ unchanged }) => unchanged)).toBe(true);
    }),
  );
});

/** The rules again, token by token, model by model. */
function rowTerms(plan: RowPlan, model: number, token: string): string {
  const row = (index: number): number | undefined => {
    const { ids, rows } = plan.models[index]!;
    const id = ids.get(token);
    return id !== undefined && id < rows ? id : undefined;
  };
  const rule = plan.rules.get(token);
  const own = row(model);
  if (own !== undefined && !rule?.force) return `${model}:${own}`;
  if (rule !== undefined) return rule.term === undefined ? "" : `${rule.term.source}:${rule.term.row}`;
  if (plan.base !== undefined && row(plan.base) !== undefined) return `${plan.base}:${row(plan.base)}`;
  return plan.models.flatMap((_, index) => (row(index) === undefined ? [] : [`${index}:${row(index)}`])).join("+");
}

test("every row of every model follows the rules: own row, the recipe's, the base's, the mean of those that have one, zeros", () => {
  const rule: fc.Arbitrary<TokenRule> = fc.record({
    term: fc.option(fc.record({ source: fc.nat(1), row: fc.nat(3) }), { nil: undefined }),
    force: fc.boolean(),
  });
  fc.assert(
    fc.property(
      fc.array(fc.record({ tokens: tokenSets, rows: fc.integer({ min: 1, max: 14 }) }), { minLength: 2, maxLength: 4 }),
      fc.option(fc.nat(1), { nil: undefined }),
      fc.array(fc.tuple(fc.nat(11), rule), { maxLength: 3 }),
      (models, base, picked) => {
        const [first, ...others] = models.map(({ tokens, rows }, i) => of(`m${i}`, bpe(tokens), rows));
        const { ids, size } = uniteTokenizers(first!, others);
        const tokens = [...ids.keys()];
        const rules = new Map(
          picked.flatMap(([at, token]) => (tokens.length === 0 ? [] : [[tokens[at % tokens.length]!, token] as const])),
        );
        const vocabularies = [first!, ...others].map(({ tokenizer, rows }) => ({ ids: tokenizer.ids, rows }));
        const plan: RowPlan = { ids, size, rows: size, models: vocabularies, base, rules };
        for (const [model, { runs }] of planRows(plan).entries()) {
          const rows = [...readRuns(runs)].flatMap((run) =>
            Array.from({ length: run.rows }, (_, i) =>
              run.terms.map(({ source, row }) => `${source}:${run.constant ? row : row + i}`).join("+"),
            ),
          );
          expect(rows).toHaveLength(size);
          for (const [token, id] of ids) expect(rows[id], token).toBe(rowTerms(plan, model, token));
        }
      },
    ),
  );
});

test("padding is the mean of the vocabulary's rows, one sample for all of it, however large", () => {
  const ids = new Map(Array.from({ length: 5_000 }, (_, id) => [`t${id}`, id]));
  const plan = { ids, size: 5_000, rows: 5_056, models: [{ ids, rows: 5_000 }], base: 0, rules: new Map() };
  const [rows] = planRows(plan);
  const last = [...readRuns(rows!.runs)].at(-1)!;
  expect(last).toMatchObject({ rows: 56, constant: true });
  expect(last.terms).toHaveLength(1024);
  expect(last.terms[1023]).toEqual({ source: 0, row: 4995 });
  expect(rows).toMatchObject({ averages: true, unchanged: false });
});
