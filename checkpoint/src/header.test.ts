import fc from "fast-check";
import { expect, test } from "vitest";
import { allDTypes, dtypeBytes, isDType } from "./dtype.ts";
import { CheckpointError } from "./errors.ts";
import { parseHeader } from "./header.ts";
import { layoutFile } from "./layout.ts";
import { maxMetadataEntries, maxTensorsPerFile } from "./limits.ts";
import { readHeader } from "./read-header.ts";
import { memorySource, rawFile } from "./testing/support.ts";

const encode = (text: string) => new TextEncoder().encode(text);
const parse = (text: string, dataBytes = 0) => parseHeader(encode(text), dataBytes, "x.safetensors");
const tensor = (name: string, begin: number, end: number, shape = `[${end - begin}]`, dtype = "U8") =>
  `"${name}":{"dtype":"${dtype}","shape":${shape},"data_offsets":[${begin},${end}]}`;

/** Processor time of this thread: unlike the clock, it does not count other work on the machine. */
function cpuMs(): number {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1000;
}

const broken: readonly (readonly [string, string, number, RegExp])[] = [
  ["an empty header", "", 0, /does not start with "\{"/],
  ["leading white space", ' {"a":1}', 0, /does not start with "\{"/],
  ["an array", "[]", 0, /does not start with "\{"/],
  ["an unclosed object", "{", 0, /expected a key, found the end/],
  ["a text cut inside a string", '{"ab', 0, /ends inside a string/],
  ["a trailing comma", `{${tensor("a", 0, 1)},}`, 1, /expected a key/],
  ["no comma between tensors", `{${tensor("a", 0, 1)}${tensor("b", 1, 2)}}`, 2, /expected "," or "}"/],
  ["bytes after the object", `{${tensor("a", 0, 1)}}x`, 1, /only spaces may follow/],
  ["a newline after the object", `{${tensor("a", 0, 1)}}\n`, 1, /only spaces may follow/],
  ["a NUL after the object", `{${tensor("a", 0, 1)}}\0`, 1, /only spaces may follow/],
  ["a tensor named twice", `{${tensor("a", 0, 1)},${tensor("a", 1, 2)}}`, 2, /the key "a" appears twice/],
  ["a name twice in different spelling", `{${tensor("a", 0, 1)},${tensor("\\u0061", 1, 2)}}`, 2, /"a" appears twice/],
  ["a field twice", '{"a":{"dtype":"U8","dtype":"I8","shape":[0],"data_offsets":[0,0]}}', 0, /"dtype" appears twice/],
  ["metadata twice", '{"__metadata__":{},"__metadata__":{}}', 0, /"__metadata__" appears twice/],
  ["a metadata key twice", '{"__metadata__":{"k":"a","k":"b"}}', 0, /"k" appears twice/],
  ["a metadata value that is a number", '{"__metadata__":{"format":1}}', 0, /expected a string as metadata value/],
  ["metadata that is a list", '{"__metadata__":[]}', 0, /expected an object/],
  ["a tensor that is a number", '{"a":1}', 0, /expected an object/],
  ["a tensor without dtype", '{"a":{"shape":[0],"data_offsets":[0,0]}}', 0, /tensor "a" needs dtype/],
  ["a tensor without shape", '{"a":{"dtype":"U8","data_offsets":[0,0]}}', 0, /needs dtype, shape and data_offsets/],
  ["a tensor without offsets", '{"a":{"dtype":"U8","shape":[0]}}', 0, /needs dtype, shape and data_offsets/],
  ["one offset", '{"a":{"dtype":"U8","shape":[0],"data_offsets":[0]}}', 0, /needs dtype, shape and data_offsets/],
  ["three offsets", '{"a":{"dtype":"U8","shape":[0],"data_offsets":[0,0,0]}}', 0, /more than 2 numbers/],
  ["a field nobody knows", '{"a":{"dtype":"U8","shape":[0],"data_offsets":[0,0],"scale":1}}', 0, /only the fields/],
  ["an unknown dtype", `{${tensor("a", 0, 1, "[1]", "Q4")}}`, 1, /unknown dtype "Q4"/],
  ["a dtype named like a property", `{${tensor("a", 0, 1, "[1]", "constructor")}}`, 1, /unknown dtype "constructor"/],
  ["a dtype of 4 bits", `{${tensor("a", 0, 1, "[2]", "F4")}}`, 1, /4-bit elements do not fill whole bytes/],
  ["a dtype of 6 bits", `{${tensor("a", 0, 3, "[4]", "F6_E2M3")}}`, 3, /6-bit elements do not fill whole bytes/],
  ["complex numbers", `{${tensor("a", 0, 8, "[1]", "C64")}}`, 8, /complex numbers are not supported/],
  ["a negative dimension", `{${tensor("a", 0, 1, "[-1]")}}`, 1, /must be a whole number, not negative; found "-"/],
  ["a fractional dimension", `{${tensor("a", 0, 1, "[1.0]")}}`, 1, /must be a whole number/],
  ["an exponent", `{${tensor("a", 0, 1, "[1e0]")}}`, 1, /must be a whole number/],
  ["a leading zero", `{${tensor("a", 0, 1, "[01]")}}`, 1, /leading zero/],
  ["a dimension past 2^53", `{${tensor("a", 0, 1, "[9007199254740993]")}}`, 1, /greater than 2\^53 - 1/],
  ["a dimension of 400 digits", `{${tensor("a", 0, 1, `[${"9".repeat(400)}]`)}}`, 1, /greater than 2\^53 - 1/],
  ["a text as dimension", `{${tensor("a", 0, 1, '["1"]')}}`, 1, /must be a whole number/],
  ["a product that overflows", `{${tensor("a", 0, 0, "[4294967296,4294967296,2]")}}`, 0, /larger than any file/],
  [
    "an overflow hidden by a zero",
    `{${tensor("a", 0, 0, "[9007199254740991,9007199254740991,0]")}}`,
    0,
    /larger than any/,
  ],
  ["too many dimensions", `{${tensor("a", 0, 1, `[${Array(65).fill(1)}]`)}}`, 1, /more than 64 numbers/],
  [
    "offsets that do not fit the shape",
    `{${tensor("a", 0, 3, "[1]", "F32")}}`,
    3,
    /is 4 bytes, but data_offsets hold 3/,
  ],
  ["offsets in reverse", `{${tensor("a", 4, 0, "[4]")}}`, 4, /end before they begin/],
  ["overlapping tensors", `{${tensor("a", 0, 4)},${tensor("b", 2, 6)}}`, 6, /overlap another tensor's, which end at 4/],
  ["one tensor inside another", `{${tensor("a", 0, 8)},${tensor("b", 2, 4)}}`, 8, /overlap/],
  [
    "a hole between tensors",
    `{${tensor("a", 0, 2)},${tensor("b", 3, 4)}}`,
    4,
    /1 bytes before its offset 3 belong to no/,
  ],
  ["a hole at the start", `{${tensor("a", 2, 4)}}`, 4, /2 bytes before its offset 2 belong to no tensor/],
  ["missing data", `{${tensor("a", 0, 4)}}`, 3, /need 4 bytes of data, the file has 3 .*truncated/],
  ["surplus data", `{${tensor("a", 0, 4)}}`, 5, /1 bytes after the last tensor belong to no tensor/],
  ["data without tensors", "{}", 5, /5 bytes after the last tensor belong to no tensor/],
  ["a control character in a string", '{"a\nb":1}', 0, /control character inside a string/],
  ["an escaped control character in a name", `{${tensor("a\\u001b[2J", 0, 1)}}`, 1, /contains control characters/],
  ["half a surrogate pair", `{${tensor("\\ud800", 0, 1)}}`, 1, /half a surrogate pair/],
  ["a bad escape", `{${tensor("\\x", 0, 1)}}`, 1, /bad escape/],
  ["a name of 1,025 characters", `{${tensor("n".repeat(1025), 0, 1)}}`, 1, /1025 characters, more than 1024/],
  ["nesting of 100,000 levels", `{"a":{"shape":${"[".repeat(100_000)}`, 0, /must be a whole number/],
  ["nested objects", `${'{"a":'.repeat(100_000)}`, 0, /only the fields/],
];

test.each(broken)("%s is refused with the rule it breaks", (_, json, dataBytes, rule) => {
  expect(() => parse(json, dataBytes)).toThrow(CheckpointError);
  expect(() => parse(json, dataBytes)).toThrow(rule);
});

test("bytes that are not UTF-8 are refused", () => {
  const json = encode('{"a":1}');
  json[2] = 0xff;
  expect(() => parseHeader(json, 0, "x")).toThrow(/not valid UTF-8/);
});

test("every bad tensor is named in one error, with the file", () => {
  const json = `{${tensor("good", 0, 2)},${tensor("short", 2, 4, "[9]")},${tensor("odd", 4, 6, "[2]", "Q9")}}`;
  expect(() => parse(json, 6)).toThrow(/2 problems:\n {2}x\.safetensors: tensor "short".*\n.*tensor "odd"/);
});

test("names that mean something to JavaScript are plain names", () => {
  const names = ["__proto__", "constructor", "toString", "hasOwnProperty", ""];
  const json = `{"__metadata__":{"__proto__":"x"},${names.map((name, i) => tensor(name, i, i + 1)).join(",")}}`;
  const header = parse(json, names.length);
  expect([...header.tensors.keys()]).toEqual(names);
  expect(header.metadata.get("__proto__")).toBe("x");
});

test("empty tensors, rank 0, unsorted offsets, white space and space padding are read", () => {
  const json = `{ "b" : {"data_offsets":[4,8],"dtype":"F32","shape":[]},\n\t${tensor("none", 4, 4, "[0,7]")},${tensor("a", 0, 4)}}   `;
  const { tensors } = parse(json, 8);
  expect([...tensors.values()].map(({ name, shape, begin, end }) => [name, shape, begin, end])).toEqual([
    ["a", [4], 0, 4],
    ["none", [0, 7], 4, 4],
    ["b", [], 4, 8],
  ]);
  expect(parse("{}").tensors.size).toBe(0);
});

test("too many tensors or metadata entries, and huge strings, are refused before memory runs out", () => {
  const tensors = Array.from({ length: maxTensorsPerFile + 1 }, (_, i) => tensor(`${i}`, 0, 0));
  expect(() => parse(`{${tensors.join(",")}}`)).toThrow(/more than 262144 tensors/);
  const entries = Array.from({ length: maxMetadataEntries + 1 }, (_, i) => `"${i}":""`);
  expect(() => parse(`{"__metadata__":{${entries.join(",")}}}`)).toThrow(/more than 65536 metadata entries/);
  expect(() => parse(`{"__metadata__":{"k":"${"x".repeat(16_000_001)}"}}`)).toThrow(
    /a string of more than 16000000 bytes/,
  );
});

test("a header of 50,000 tensors is parsed in under a second", () => {
  const specs = Array.from({ length: 50_000 }, (_, i) => {
    return { name: `model.layers.${i}.mlp.weight`, dtype: "BF16", shape: [64, 64] } as const;
  });
  const { header, fileBytes } = layoutFile(specs);
  const start = cpuMs();
  expect(parseHeader(header.subarray(8), fileBytes - header.length, "x").tensors.size).toBe(50_000);
  expect(cpuMs() - start).toBeLessThan(1_000);
});

const shapes = fc.array(fc.integer({ min: 0, max: 5 }), { maxLength: 4 });
const names = fc
  .string({ unit: "grapheme", maxLength: 20 })
  .filter((name) => name !== "__metadata__" && !/\p{Cc}/u.test(name));
const specs = fc.uniqueArray(fc.record({ name: names, dtype: fc.constantFrom(...allDTypes), shape: shapes }), {
  selector: ({ name }) => name,
  maxLength: 12,
});

test("reading a written header gives back every tensor, with the dtypes aligned", () => {
  const metadata = fc.dictionary(fc.string({ unit: "grapheme" }), fc.string({ unit: "grapheme" }), {
    noNullPrototype: false,
  });
  fc.assert(
    fc.property(specs, metadata, (tensors, entries) => {
      const layout = layoutFile(tensors, entries);
      expect(layout.header.length % 8).toBe(0);
      const read = parseHeader(layout.header.subarray(8), layout.fileBytes - layout.header.length, "x");
      expect(read.metadata).toEqual(new Map(Object.entries(entries)));
      expect(read.tensors.size).toBe(tensors.length);
      for (const { name, dtype, shape } of tensors) {
        const { begin, end } = layout.tensors.get(name)!;
        expect(begin % dtypeBytes(dtype)).toBe(0);
        const relative = { begin: begin - layout.header.length, end: end - layout.header.length };
        expect(read.tensors.get(name)).toEqual({ name, dtype, shape, ...relative });
      }
    }),
    { numRuns: 500 },
  );
});

/** Success or CheckpointError, quickly: nothing else may come out of untrusted bytes. */
async function survives(bytes: Uint8Array): Promise<void> {
  const start = cpuMs();
  try {
    const { header, dataOffset } = await readHeader(memorySource(bytes));
    expect(dataOffset + header.dataBytes).toBe(bytes.length);
    for (const { dtype } of header.tensors.values()) expect(isDType(dtype)).toBe(true);
  } catch (error) {
    expect(error).toBeInstanceOf(CheckpointError);
  }
  expect(cpuMs() - start).toBeLessThan(2_000);
}

test("mutations of valid files are read or refused, never anything else", async () => {
  const mutation = fc.record({
    at: fc.nat(),
    kind: fc.constantFrom("set", "insert", "delete", "copy"),
    byte: fc.integer({ min: 0, max: 255 }),
  });
  await fc.assert(
    fc.asyncProperty(specs, fc.array(mutation, { minLength: 1, maxLength: 6 }), async (tensors, mutations) => {
      const { header, fileBytes } = layoutFile(tensors);
      const bytes = [...header, ...new Array<number>(fileBytes - header.length).fill(0)];
      for (const { at, kind, byte } of mutations) {
        const place = at % bytes.length;
        if (kind === "set") bytes[place] = byte;
        else if (kind === "insert") bytes.splice(place, 0, byte);
        else if (kind === "delete") bytes.splice(place, 1);
        else bytes.splice(place, 0, ...bytes.slice(place, place + 20));
        if (bytes.length === 0) break;
      }
      const mutated = Uint8Array.from(bytes);
      await survives(mutated);
      // A wrong length would end most cases early: also try the mutated JSON under its own right length.
      await survives(rawFile(mutated.subarray(8)));
    }),
    { numRuns: 10_000 },
  );
});

test("random JSON-like text and random bytes are read or refused, never anything else", async () => {
  const token = fc.constantFrom(
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    '"',
    "\\",
    "\\u",
    "0",
    "1",
    "-",
    "e",
    ".",
    " ",
    '"dtype"',
    '"shape"',
    '"F32"',
    '"data_offsets"',
    '"__metadata__"',
    "null",
    "é",
    "\u0000",
  );
  const text = fc.array(token, { maxLength: 60 }).map((tokens) => encode(`{${tokens.join("")}`));
  await fc.assert(
    fc.asyncProperty(fc.oneof(text, fc.uint8Array({ maxLength: 100 })), async (bytes) => {
      await survives(rawFile(bytes));
      await survives(bytes);
    }),
    { numRuns: 10_000 },
  );
});
