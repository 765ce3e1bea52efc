import fc from "fast-check";
import { expect, test } from "vitest";
import { wordPiece } from "../testing/fixtures.ts";
import { createTokenizer } from "./tokenize.ts";

const words = ["the", "cat", "sat", "##s", "un", "##able", ",", "e"];
const files = wordPiece(words);
const tokenizer = createTokenizer(files);
const [unknown, start, end] = [1, 2, 3];
const id = (word: string): number => 4 + words.indexOf(word);

test("text becomes word pieces between the special tokens, as BERT's uncased tokenizer cuts it", () => {
  const { ids, types } = tokenizer.encode("The  cats, ÉUnable\tdog", undefined, 64);
  expect(ids).toEqual([start, id("the"), id("cat"), id("##s"), id(","), unknown, unknown, end]);
  expect(types).toEqual(ids.map(() => 0));
  expect(tokenizer.encode("é", undefined, 64).ids).toEqual([start, id("e"), end]);
  expect(tokenizer.encode("", undefined, 64).ids).toEqual([start, end]);
});

test("a pair carries type 1 from its second text on", () => {
  const { ids, types } = tokenizer.encode("the cat", "sat", 64);
  expect(ids).toEqual([start, id("the"), id("cat"), end, id("sat"), end]);
  expect(types).toEqual([0, 0, 0, 0, 1, 1]);
});

test("a long text is cut before its closing special token", () => {
  expect(tokenizer.encode("the cat sat the cat", undefined, 4).ids).toEqual([start, id("the"), id("cat"), end]);
});

test("truncation_side left keeps the end of the text", () => {
  const left = createTokenizer({ ...files, tokenizerConfig: JSON.stringify({ truncation_side: "left" }) });
  expect(left.encode("the cat sat", undefined, 4).ids).toEqual([start, id("cat"), id("sat"), end]);
});

test("of a pair the longer text is cut first, both to the end", () => {
  const kept = (a: number, b: number, most: number): [number, number] => {
    const { types } = tokenizer.encode("the ".repeat(a), "cat ".repeat(b), most);
    const second = types.filter((type) => type === 1).length;
    return [types.length - second - 2, second - 1];
  };
  expect(kept(10, 3, 11)).toEqual([5, 3]);
  expect(kept(3, 10, 11)).toEqual([3, 5]);
  expect(kept(10, 10, 12)).toEqual([4, 5]);
  expect(kept(2, 2, 12)).toEqual([2, 2]);
  const sizes = fc.integer({ min: 1, max: 30 });
  const property = fc.property(sizes, sizes, fc.integer({ min: 5, max: 40 }), (a, b, most) => {
    const [first, second] = kept(a, b, most);
    expect(first + second).toBe(Math.min(a + b, most - 3));
    // Neither text loses anything while the other one is longer by more than a token.
    if (first < a) expect(second).toBeLessThanOrEqual(first + 1);
    if (second < b) expect(first).toBeLessThanOrEqual(second + 1);
  });
  fc.assert(property);
});

test.each([
  ["{", "tokenizer.json: is not JSON"],
  ["[]", "tokenizer.json: is not a JSON object"],
  ["{}", "tokenizer.json: is no tokenizer that can be loaded"],
  [files.tokenizerJson.replace('"WordPiece"', '"WordSalad"'), "tokenizer.json: is no tokenizer that can be loaded"],
])("a broken tokenizer is one clear error (%#)", (tokenizerJson, message) => {
  expect(() => createTokenizer({ tokenizerJson })).toThrow(message);
});

test("a broken tokenizer_config.json is named", () => {
  expect(() => createTokenizer({ ...files, tokenizerConfig: "nope" })).toThrow("tokenizer_config.json: is not JSON");
});
