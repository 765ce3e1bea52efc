// The device thread and its executor, as compute threads use them: synchronous, with the bits and flags of the kernels whatever
// the values, and an error when the thread has ended.
import {
  buildProgram,
  createExecutor,
  createMemory,
  dtypeBytes,
  type Executor,
  FLAG_INPUT_NOT_FINITE,
  FLAG_OUTPUT_NOT_FINITE,
  METHODS,
  type Program,
} from "@amalgam/kernels";
import { merged, programFor, randomModel } from "@amalgam/kernels/testing";
import { afterAll, describe, expect, test } from "vitest";
import { createDeviceExecutor, forgetOwner } from "./device-executor.ts";
import { startDevice } from "./device-host.ts";
import { testDevices } from "./testing/devices.ts";

afterAll(async () => {
  for (const { device } of testDevices) await device?.[Symbol.asyncDispose]();
});

type Tensor = ReturnType<typeof randomModel>[number];

/** The tensor in shared memory, and a merge of it by the executor that is made there. */
function placed(program: Program, { inputs, elements }: Tensor) {
  let end = program.scratchBytes;
  const take = (bytes: number): number => {
    const at = end;
    end += bytes;
    return at;
  };
  const addresses = inputs.map((bytes) => take(bytes.length));
  const length = elements * dtypeBytes(program.spec.outputDtype);
  const output = take(length);
  const memory = createMemory(end);
  const bytes = new Uint8Array(memory.buffer);
  inputs.forEach((input, i) => {
    bytes.set(input, addresses[i]!);
  });
  const merge = (executor: Executor, scalars: Parameters<Executor["output"]>[1]) => {
    bytes.fill(0xaa, output, output + length);
    const flags = executor.output({ inputs: addresses, output, firstElement: 0, elements }, scalars);
    return { flags, bytes: bytes.slice(output, output + length) };
  };
  return { memory, merge };
}

describe.each(testDevices)("$title", ({ backend, device }) => {
  const registered = (name: string, models: number): Program =>
    buildProgram(programFor(METHODS[name]!, models, "F32").spec);

  test.skipIf(!device)(
    "a device executor gives the kernels' bits, over selections that are cut among equals",
    async () => {
      await using host = await startDevice(backend, 2 ** 26);
      const program = registered("ties", 2);
      const [tensor] = randomModel(program, [4099], 5);
      // Half of the task vectors is one number: where the density cuts, all are equal.
      for (const input of tensor!.inputs) new Float32Array(input.buffer).fill(0.25, 1000, 3000);
      const [whole] = merged(program, [tensor!]);
      const { memory, merge } = placed(program, tensor!);
      const executor = createDeviceExecutor(host.link(), program, memory, 0, undefined);
      expect(merge(executor, whole!.scalars)).toEqual({ flags: 0, bytes: whole!.bytes });
    },
  );

  test.skipIf(!device)("what a device is not trusted with has the kernels' bits and flags", async () => {
    await using host = await startDevice(backend, 2 ** 26);
    const program = registered("task_arithmetic", 2);
    const [tensor] = randomModel(program, [64], 5);
    const [model] = tensor!.inputs.slice(1);
    const link = host.link();
    for (const [value, flags] of [
      [1e-40, 0],
      [Number.NaN, FLAG_INPUT_NOT_FINITE | FLAG_OUTPUT_NOT_FINITE],
      [Infinity, FLAG_INPUT_NOT_FINITE | FLAG_OUTPUT_NOT_FINITE],
      [3e38, 0],
    ] as const) {
      new Float32Array(model!.buffer)[17] = value;
      const { memory, merge } = placed(program, tensor!);
      const expected = merge(createExecutor(program, memory, 0), tensor!.scalars);
      expect(expected.flags).toBe(flags);
      expect(merge(createDeviceExecutor(link, program, memory, 0, undefined), tensor!.scalars)).toEqual(expected);
    }
  });

  test.skipIf(!device)("inputs stay on the device until their owner is forgotten, and scalars do not", async () => {
    await using host = await startDevice(backend, 2 ** 26);
    const program = registered("task_arithmetic", 2);
    const [tensor] = randomModel(program, [64], 5);
    const { memory, merge } = placed(program, tensor!);
    const kernels = createExecutor(program, memory, 0);
    const link = host.link();
    const executor = createDeviceExecutor(link, program, memory, 0, 1);
    const trial = (lambda: number) => ({ ...tensor!.scalars, lambda });
    expect(merge(executor, trial(1))).toEqual(merge(kernels, trial(1)));
    const before = merge(kernels, trial(0.5));
    // Nobody changes the inputs of an owner; that the device does not look shows that it kept them.
    new Uint8Array(memory.buffer).fill(0, program.scratchBytes, program.scratchBytes + 256);
    expect(merge(executor, trial(0.5))).toEqual(before);
    forgetOwner(link, 1);
    const after = merge(kernels, trial(0.5));
    expect(after).not.toEqual(before);
    expect(merge(executor, trial(0.5))).toEqual(after);
  });

  test.skipIf(!device)("a merge fails when the device thread has ended", async () => {
    const host = await startDevice(backend, 2 ** 26);
    const program = registered("linear", 2);
    const [tensor] = randomModel(program, [64], 5);
    const { memory, merge } = placed(program, tensor!);
    const executor = createDeviceExecutor(host.link(), program, memory, 0, undefined);
    await host[Symbol.asyncDispose]();
    const late = createDeviceExecutor(host.link(), program, memory, 0, undefined);
    for (const each of [executor, late])
      expect(() => merge(each, tensor!.scalars)).toThrow(`back-end ${backend}: the device thread ended`);
  });
});

test("a back-end that this machine lacks is refused with the reason and what to do", async () => {
  await expect(startDevice("onnx:nowhere", 0)).rejects.toThrow(
    /^back-end onnx:nowhere: onnxruntime here has no execution provider "nowhere": it has .*cpu.* \(`amalgam devices` lists/,
  );
});
