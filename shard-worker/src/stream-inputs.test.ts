import { createMemory } from "@amalgam/kernels";
import { CoordinatorService, type InputFile, InputFileSchema } from "@amalgam/proto";
import { AmalgamError, createLocalClient, type ServiceImpl } from "@amalgam/runtime";
import { create } from "@bufbuild/protobuf";
import { expect, test } from "vitest";
import type { InputRange } from "./shard-layout.ts";
import { streamInputs } from "./stream-inputs.ts";

const content = Uint8Array.from({ length: 300_000 }, (_, i) => i * 7);
const files: InputFile[] = [create(InputFileSchema, { path: "/base/model.safetensors", byteLength: 300_000n })];

const range = (offset: number, bytes: number, address: number): InputRange => ({
  tensor: "t",
  slot: 0,
  file: 0,
  offset,
  bytes,
  address,
});

/** @param serve what the coordinator sends for the bytes it was asked for */
function source(serve: (bytes: Uint8Array) => Uint8Array[]) {
  const readInput: ServiceImpl<typeof CoordinatorService>["readInput"] = async function* ({ offset, length }) {
    for (const data of serve(content.subarray(Number(offset), Number(offset + length)))) yield { data };
  };
  const coordinator = createLocalClient(CoordinatorService, { readInput } as ServiceImpl<typeof CoordinatorService>);
  return { coordinator, jobId: "job", files };
}

const ranges = [range(10, 1000, 2048), range(1010, 500, 1024), range(90_000, 70_000, 4096)];
const signal = new AbortController().signal;

test("ranges arrive at their addresses, however the bytes are cut on the way", async () => {
  const memory = createMemory(100_000);
  await streamInputs(
    source((bytes) => [bytes.subarray(0, 7), bytes.subarray(7, 1200), bytes.subarray(1200)]),
    ranges,
    memory,
    signal,
  );
  for (const { offset, bytes, address } of ranges) {
    const arrived = new Uint8Array(memory.buffer, address, bytes);
    expect(Buffer.compare(arrived, content.subarray(offset, offset + bytes))).toBe(0);
  }
});

test.each([
  ["less", (bytes: Uint8Array) => [bytes.subarray(1)]],
  ["more", (bytes: Uint8Array) => [bytes, bytes]],
])("%s than was asked for is refused, naming the file", async (_, serve) => {
  const streaming = streamInputs(source(serve), ranges, createMemory(100_000), signal);
  await expect(streaming).rejects.toMatchObject({
    code: "data_loss",
    message: expect.stringContaining("/base/model.safetensors: the coordinator sent"),
  });
});

test("a coordinator that fails ends the streams with its error", async () => {
  const failing = source(() => {
    throw new AmalgamError("unavailable", "the disk is away");
  });
  await expect(streamInputs(failing, ranges, createMemory(100_000), signal)).rejects.toMatchObject({
    code: "unavailable",
  });
});
