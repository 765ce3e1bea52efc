import { deviceObstacle, FLOAT_DTYPES, METHODS } from "@amalgam/kernels";
import { merged, programFor, randomModel } from "@amalgam/kernels/testing";
import { describe, expect, test } from "vitest";
import { openOnnx } from "./onnx.ts";
import { openWebGpu } from "./webgpu.ts";

const devices = [await openWebGpu(1e8), await openOnnx("cpu", 1e8)];
describe.each(devices)("$backend", (device) => {
  test.each(Object.values(METHODS))("$name", async (method) => {
    for (const dtype of FLOAT_DTYPES) {
      const p = programFor(method, Math.max(method.minModels, Math.min(3, method.maxModels ?? 3)), dtype);
      if (deviceObstacle(p)) return;
      const model = randomModel(p, [129, 64, 6, 1], 3);
      const want = merged(p, model);
      for (const [i, t] of model.entries()) {
        const output = new Uint8Array(want[i]!.bytes.length);
        const ok = await device.merge(
          p,
          { inputs: t.inputs, output, first: 0, elements: t.elements, owner: undefined },
          want[i]!.scalars,
        );
        expect(ok).toBe(true);
        expect(output).toEqual(want[i]!.bytes);
      }
    }
  });
});
