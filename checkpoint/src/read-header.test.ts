import { expect, test } from "vitest";
import { readHeader } from "./read-header.ts";
import { memorySource, rawFile, tensorFile } from "./testing/support.ts";

const read = (bytes: Uint8Array) => readHeader(memorySource(bytes));
const latin1 = (text: string) => Buffer.from(text.padEnd(64, "\0"), "latin1");
const length = (value: bigint) => {
  const bytes = new Uint8Array(64);
  new DataView(bytes.buffer).setBigUint64(0, value, true);
  return bytes;
};

test.each([
  ["a zip archive", "PK\x03\x04", /zip archive, as torch\.save writes; loading a pickle can run any code/],
  ["a legacy torch pickle", "\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19.", /Python pickle/],
  ["a protocol 4 pickle", "\x80\x04\x95\x20\x00\x00\x00\x00\x00\x00\x00", /Python pickle/],
  ["GGUF", "GGUF\x03\x00\x00\x00", /GGUF/],
  ["a web page", "<!DOCTYPE html><html>", /web page/],
  ["a web page after a newline", "\n\n<html>", /web page/],
  ["a JSON answer", '{"error":"Repository not found"}', /JSON text/],
  ["a Git LFS pointer", "version https://git-lfs.github.com/spec/v1\noid sha256:00", /Git LFS pointer.*git lfs pull/],
  ["a NumPy array", "\x93NUMPY\x01\x00", /NumPy/],
  ["an HDF5 file", "\x89HDF\r\n\x1a\n", /HDF5/],
  ["a gzip archive", "\x1f\x8b\x08\x00\x00\x00\x00\x00", /gzip/],
  ["an executable", "\x7fELF\x02\x01\x01\x00", /executable/],
])("%s under a safetensors name is refused as what it is", async (_, start, rule) => {
  await expect(read(latin1(start))).rejects.toThrow(rule);
});

test.each([
  ["an empty file", new Uint8Array(), /the file is empty/],
  ["a file of 5 bytes", new Uint8Array(5), /5 bytes, less than the 8 of a length/],
  ["a length of 0", length(0n), /does not start with "\{"/],
  ["a length past the format's limit", length(100_000_001n), /the format allows 100000000/],
  ["the greatest u64 length", length(0xffff_ffff_ffff_ffffn), /the format allows 100000000/],
  ["a length past the end", length(1000n), /should have 1000 bytes, but only 56 follow.*truncated/],
])("%s is refused", async (_, bytes, rule) => {
  await expect(read(bytes)).rejects.toThrow(rule);
});

test("a file cut anywhere is refused", async () => {
  const whole = tensorFile([{ name: "a", dtype: "F32", shape: [4] }]);
  for (let end = 0; end < whole.length; end++) await expect(read(whole.subarray(0, end))).rejects.toThrow("memory");
  await expect(read(whole)).resolves.toMatchObject({ header: { dataBytes: 16 } });
});

test("a header length that looks like a pickle does not get a good file refused", async () => {
  const json = '{"a":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}}'.padEnd(0x280, " ");
  const bytes = rawFile(json);
  expect([...bytes.subarray(0, 2)]).toEqual([0x80, 0x02]);
  await expect(read(bytes)).resolves.toMatchObject({ dataOffset: 0x288 });
});

test("the data section starts where the header ends, aligned or not", async () => {
  const { header, dataOffset } = await read(
    rawFile('{"a":{"dtype":"U8","shape":[3],"data_offsets":[0,3]}}', new Uint8Array(3)),
  );
  expect(dataOffset).toBe(8 + 53);
  expect(header.tensors.get("a")).toEqual({ name: "a", dtype: "U8", shape: [3], begin: 0, end: 3 });
});
