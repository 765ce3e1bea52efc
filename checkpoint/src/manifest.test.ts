import fc from "fast-check";
import { expect, test } from "vitest";
import { allDTypes } from "./dtype.ts";
import { CheckpointError } from "./errors.ts";
import { type Manifest, manifestText, parseManifest } from "./manifest.ts";

const text = fc.string({ unit: "grapheme", maxLength: 10 });
const size = fc.nat();
const map = <T>(value: fc.Arbitrary<T>) =>
  fc.array(fc.tuple(text, value), { maxLength: 5 }).map((entries) => new Map(entries));
const manifests: fc.Arbitrary<Manifest> = fc.record({
  schemaVersion: fc.constant(1 as const),
  planDigest: text,
  recipe: text,
  seed: size,
  versions: fc.dictionary(text, text, { noNullPrototype: true, maxKeys: 4 }),
  inputs: fc.array(
    fc.record({
      path: text,
      identityDigest: text,
      files: fc.array(
        fc.record(
          { name: text, byteLength: size, headerSha256: text, sha256: text },
          { noNullPrototype: true, requiredKeys: ["name", "byteLength", "headerSha256"] },
        ),
        { maxLength: 3 },
      ),
    }),
    { maxLength: 3 },
  ),
  files: map(
    fc.oneof(fc.record({ byteLength: size, sha256: text }), fc.record({ byteLength: size, headerSha256: text })),
  ),
  tensors: map(
    fc.record({
      file: text,
      dtype: fc.constantFrom(...allDTypes),
      shape: fc.array(size, { maxLength: 4 }),
      sha256: text,
    }),
  ),
});

const parse = (json: string) => parseManifest(new TextEncoder().encode(json), "amalgam.json");

test("reading a written manifest gives it back, whatever the names in it", () => {
  fc.assert(
    fc.property(manifests, (manifest) => {
      expect(parse(manifestText(manifest))).toEqual(manifest);
    }),
  );
});

test("the text does not depend on the order entries were added in", () => {
  const manifest = (names: readonly string[]): Manifest => ({
    schemaVersion: 1,
    planDigest: "p",
    recipe: "r",
    seed: 1,
    versions: Object.fromEntries(names.map((name) => [name, name])),
    inputs: [],
    files: new Map(names.map((name) => [name, { byteLength: 1, sha256: name }])),
    tensors: new Map(),
  });
  expect(manifestText(manifest(["b", "a"]))).toBe(manifestText(manifest(["a", "b"])));
});

test.each([
  ["{}", /schemaVersion must be 1/],
  ['{"schemaVersion":2}', /another version of amalgam/],
  ['{"schemaVersion":1}', /"planDigest" is missing or of the wrong type/],
  ["[]", /must be an object/],
  ["", /expected a value, found the end/],
])("%s is not a manifest", (json, rule) => {
  expect(() => parse(json)).toThrow(CheckpointError);
  expect(() => parse(json)).toThrow(rule);
});
