// DF-Merge of image classifiers, by the graph that is built of their config and by an ONNX file of the user's.
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, onTestFinished, test } from "vitest";
import { run } from "../harness/program.ts";

const golden = (path: string): string => fileURLToPath(new URL(`../golden/${path}`, import.meta.url));

const processor = {
  image_processor_type: "CLIPImageProcessor",
  size: { shortest_edge: 8 },
  crop_size: { height: 8, width: 8 },
};
const labels = ["a", "b", "c"];

/** A golden CLIP classifier, two others near it, and a task of a few images in folders. */
function family(): string {
  const directory = mkdtempSync(join(tmpdir(), "amalgam-images-e2e-"));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  for (const [index, name] of ["base", "one", "two"].entries()) {
    const model = join(directory, name);
    mkdirSync(model);
    for (const file of ["config.json", "model.safetensors"])
      cpSync(golden(`transformers/clip/${file}`), join(model, file));
    writeFileSync(join(model, "preprocessor_config.json"), JSON.stringify(processor));
    const weights = join(model, "model.safetensors");
    const bytes = readFileSync(weights);
    const begin = 8 + Number(bytes.readBigUInt64LE(0));
    for (let at = begin; at < bytes.length; at += 4) {
      const noise = Math.sin(at * (index + 1)) * index * 0.15;
      bytes.writeFloatLE(bytes.readFloatLE(at) + noise, at);
    }
    writeFileSync(weights, bytes);
  }
  for (const split of ["validation", "test"]) {
    for (const [i, image] of ["rgb.png", "rgb.jpg", "rgb.webp", "grey.png", "rgba.png", "palette.gif"].entries()) {
      const folder = join(directory, "img", split, labels[(i + (split === "test" ? 1 : 0)) % 3]!);
      mkdirSync(folder, { recursive: true });
      cpSync(golden(`images/${image}`), join(folder, image));
    }
  }
  const splits = "{ validation: img/validation, test: img/test }";
  writeFileSync(
    join(directory, "t.yaml"),
    `name: t\nkind: image_classification\nlabels: [a, b, c]\nsplits: ${splits}\n`,
  );
  cpSync(golden("onnx/clip.onnx"), join(directory, "own.onnx"));
  cpSync(golden("onnx/bert.onnx"), join(directory, "other.onnx"));
  return directory;
}

function recipe(directory: string, graph: string): string {
  const path = join(directory, `recipe${graph}.yaml`);
  writeFileSync(
    path,
    `merge_method: df_merge
base_model: ./base
models:
  - { model: ./one, name: one }
  - { model: ./two, name: two }
evaluate:
  tasks: [t.yaml]
${graph === "" ? "" : `  graph: ${graph}\n`}fisher: { estimate: per_trial, items: 4, tasks: { one: t.yaml, two: t.yaml } }
search: { trials: 3 }
`,
  );
  return path;
}

test("models of images are searched with their Fisher information, and their owner's ONNX file gives the same", async () => {
  const directory = family();
  const scores: unknown[] = [];
  for (const graph of ["", "own.onnx"]) {
    const out = join(directory, `out${graph}`);
    const search = await run("search", recipe(directory, graph), out, "--json");
    expect(search.code, search.stderr).toBe(0);
    const options = graph === "" ? [] : ["--graph", join(directory, graph)];
    const scored = await run("eval", out, "--task", join(directory, "t.yaml"), "--json", ...options);
    scores.push((JSON.parse(scored.stdout) as { scores: readonly { items: number; score: number }[] }).scores[0]);
  }
  const [built, own] = scores as [{ items: number; score: number }, { items: number; score: number }];
  expect(built).toMatchObject({ items: 6 });
  expect(own).toMatchObject({ items: 6, score: built.score });
});

test("an ONNX file of another model is refused before any work", async () => {
  const directory = family();
  const search = await run("search", recipe(directory, "other.onnx"), join(directory, "out"));
  expect(search.code).not.toBe(0);
  expect(search.stderr).toMatch(
    /other.onnx: no tensors of the checkpoint, and in another file, which is not read: \d+ initialisers \(bert.+, \.\.\.\)/,
  );
});
