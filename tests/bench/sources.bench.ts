// What it costs to merge from a server instead of from files: the same merges from directories and over HTTP on loopback, in
// turn. Prints wall and CPU time of the merging process, and the bytes that the server sent against those of one pass; then the
// speed of reading alone. Usage: node tests/bench/sources.bench.ts DIRECTORY (as make-checkpoints.ts makes it, two experts)
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { openSource } from "@amalgam/checkpoint";

const [models] = process.argv.slice(2);
if (models === undefined) throw new Error("usage: sources.bench.ts DIRECTORY");
const here = (name: string): string => fileURLToPath(new URL(name, import.meta.url));
const work = mkdtempSync(join(tmpdir(), "amalgam-bench-"));
const say = (text: string): void => void process.stdout.write(`${text}\n`);

interface Case {
  readonly name: string;
  readonly method: string;
  readonly parameters: string;
  readonly options?: readonly string[];
}

const cases: readonly Case[] = [
  { name: "linear", method: "linear", parameters: "weight: 0.5" },
  { name: "ties", method: "ties", parameters: "weight: 1, density: 0.5" },
  { name: "ties_official", method: "ties_official", parameters: "density: 0.5" },
  {
    name: "ties_official, 500 MiB",
    method: "ties_official",
    parameters: "density: 0.5",
    options: ["--memory", "500MiB"],
  },
];

const recipe = ({ method, parameters }: Case, place: string): string =>
  `merge_method: ${method}\nbase_model: ${place}/base\nmodels: [{ model: ${place}/expert1 }, { model: ${place}/expert2 }]\nparameters: { ${parameters} }\n`;

/** Wall and CPU seconds of one merge. */
function merge(each: Case, place: string): { readonly wall: number; readonly cpu: number } {
  const file = join(work, "recipe.yaml");
  const out = join(work, "out");
  writeFileSync(file, recipe(each, place));
  const command = [process.execPath, here("../../cli/src/main.ts"), "merge", file, out, ...(each.options ?? [])];
  const started = performance.now();
  // `times` prints what the shell's children used: their user and system time, on its second line.
  const text = execFileSync("/bin/sh", ["-c", '"$@" >&2 && times', "sh", ...command], {
    encoding: "utf8",
    stdio: ["ignore", "pipe", "ignore"],
  });
  const wall = (performance.now() - started) / 1000;
  rmSync(out, { recursive: true });
  const [, children = ""] = text.trim().split("\n");
  const cpu = [...children.matchAll(/(\d+)m([\d.]+)s/g)].reduce((sum, [, m, s]) => sum + Number(m) * 60 + Number(s), 0);
  return { wall, cpu };
}

const server = spawn(process.execPath, [here("./file-server.ts"), models], { stdio: ["ignore", "pipe", "inherit"] });
try {
  const [url] = (await once(createInterface({ input: server.stdout }), "line")) as [string];
  const sent = async (): Promise<number> => Number(await (await fetch(`${url}/--sent`)).text());
  const sizeOf = (name: string): number => statSync(join(models, name, "model.safetensors")).size;
  if (!readdirSync(models).includes("expert2")) throw new Error(`${models} has no expert2`);
  say("merge                    wall s: files   HTTP  ratio   CPU s: files   HTTP  ratio   sent / one pass");
  for (const each of cases) {
    const used = each.method === "linear" ? ["expert1", "expert2"] : ["base", "expert1", "expert2"];
    const onePass = used.reduce((sum, name) => sum + sizeOf(name), 0);
    merge(each, models);
    const files = merge(each, models);
    await sent();
    const http = merge(each, url);
    const columns = [
      each.name.padEnd(24),
      ...[files.wall, http.wall].map((value) => value.toFixed(2).padStart(7)),
      (http.wall / files.wall).toFixed(2).padStart(6),
      ...[files.cpu, http.cpu].map((value) => value.toFixed(2).padStart(9)),
      (http.cpu / files.cpu).toFixed(2).padStart(6),
      ((await sent()) / onePass).toFixed(3).padStart(10),
    ];
    say(columns.join(" "));
  }
  const target = new Uint8Array(new SharedArrayBuffer(512 * 2 ** 20));
  for (const place of [models, url]) {
    await using source = await openSource(`${place}/expert1/model.safetensors`);
    const bytes = target.subarray(0, Math.min(target.length, source.byteLength));
    await source.readInto(bytes, 0);
    const [started, before] = [performance.now(), process.cpuUsage()];
    await source.readInto(bytes, 0);
    const cpu = process.cpuUsage(before);
    const seconds = (performance.now() - started) / 1000;
    const rate = (each: number): string => (bytes.length / 1e9 / each).toFixed(2);
    const kind = place === models ? "file" : "HTTP";
    say(`reading alone, ${kind}: ${rate(seconds)} GB/s, ${rate((cpu.user + cpu.system) / 1e6)} GB per CPU second here`);
  }
} finally {
  server.kill();
  rmSync(work, { recursive: true });
}
