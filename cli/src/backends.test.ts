// Back-ends as people choose them.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, expect, test } from "vitest";
import { runCli } from "./testing/run-cli.ts";

const quickstart = fileURLToPath(new URL("../../examples/quickstart", import.meta.url));
const directory = mkdtempSync(join(tmpdir(), "amalgam-backends-"));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

const recipe = join(directory, "recipe.yaml");
writeFileSync(
  recipe,
  `merge_method: ties
base_model: ${quickstart}/base
models:
  - { model: ${quickstart}/expert-speech, parameters: { weight: 1, density: 0.4 } }
  - { model: ${quickstart}/expert-section, parameters: { weight: 0.6, density: 0.4 } }
`,
);
const read = (out: string, file: string): Buffer => readFileSync(join(directory, out, file));
const versions = (out: string): unknown => JSON.parse(read(out, "amalgam.json").toString()).versions;

test("a merge on a device has the weights of the kernels, and its manifest names the back-end", async () => {
  expect(await runCli(["merge", recipe, join(directory, "wasm")])).toMatchObject({ code: 0 });
  const device = ["merge", recipe, join(directory, "onnx"), "--backend", "onnx:cpu", "--shard-bytes", "1MB"];
  expect(await runCli(device)).toMatchObject({ code: 0 });
  expect(read("onnx", "model.safetensors").equals(read("wasm", "model.safetensors"))).toBe(true);
  expect(versions("wasm")).toMatchObject({ backend: "wasm" });
  expect(versions("onnx")).toMatchObject({ backend: "onnx:cpu" });
});

test("a method that no device merges is said to be merged by the kernels, and is", async () => {
  const della = join(directory, "della.yaml");
  writeFileSync(della, readFileSync(recipe, "utf8").replace("ties", "della"));
  const asked = await runCli(["merge", della, join(directory, "rows"), "--backend", "onnx:cpu"]);
  expect(asked).toMatchObject({ code: 0 });
  expect(asked.stdout).toContain("della is merged by wasm: it ranks the values of each row");
  expect(await runCli(["merge", della, join(directory, "kernels")])).toMatchObject({ code: 0 });
  expect(read("rows", "model.safetensors").equals(read("kernels", "model.safetensors"))).toBe(true);
});

test("devices measures what this machine has, and auto takes one that gives the bits of the kernels", async () => {
  const { code, stdout } = await runCli(["devices", "--json", "--threads", "1"]);
  expect(code).toBe(0);
  const { auto, backends } = JSON.parse(stdout) as { auto: string; backends: Record<string, unknown>[] };
  expect(backends[0]).toMatchObject({ backend: "wasm", available: true, sameBits: true });
  expect(backends.find(({ backend }) => backend === "onnx:cpu")).toMatchObject({ available: true, sameBits: true });
  for (const { available, parametersPerSecond } of backends) expect(Number(parametersPerSecond) > 0).toBe(available);
  expect(backends.find(({ backend }) => backend === auto)).toMatchObject({ available: true, sameBits: true });
});

test("a back-end that there is not is refused before anything is done", async () => {
  const wrong = await runCli(["merge", recipe, join(directory, "none"), "--backend", "gpu"]);
  expect(wrong).toMatchObject({ code: 64 });
  expect(wrong.stderr).toContain("it must be wasm, webgpu, or onnx: and an execution provider (onnx:cpu, onnx:cuda)");
  const absent = await runCli(["merge", recipe, join(directory, "none"), "--backend", "onnx:nowhere"]);
  expect(absent).toMatchObject({ code: 78 });
  expect(absent.stderr).toContain('no execution provider "nowhere"');
});
