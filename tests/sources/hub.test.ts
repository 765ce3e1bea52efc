// Models of the Hugging Face Hub, by the real command against a Hub on loopback: the same bytes as from directories, pinned to
// commits, through every fault that a network has.
import { readFileSync } from "node:fs";
import { cp, mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { poll } from "@amalgam/runtime";
import { afterAll, beforeAll, beforeEach, expect, test, vi } from "vitest";
import { Cluster } from "../harness/cluster.ts";
import { digestsOf } from "../harness/digests.ts";
import { type Fault, HubServer } from "../harness/hub-server.ts";
import { Program } from "../harness/program.ts";

const INPUTS = fileURLToPath(new URL("../golden/mergekit/inputs/", import.meta.url));
const QUICKSTART = fileURLToPath(new URL("../../examples/quickstart/", import.meta.url));
const MODELS = ["base", "expert1", "expert2"];

const recipeOf = (name: (model: string) => string): string => `merge_method: ties
base_model: ${name("base")}
models:
  - { model: ${name("expert1")}, name: one, parameters: { weight: 1, density: 0.5 } }
  - { model: ${name("expert2")}, name: two, parameters: { weight: 0.5, density: 0.5 } }
`;

let directory: string;
let reference: Record<string, string>;
let hub: HubServer;
let commits: Record<string, string>;
let cases = 0;

/** A directory for one test: recipes, outputs, and a home of the Hub without a cache. */
async function workplace() {
  const place = join(directory, `case-${cases++}`);
  await mkdir(place);
  return {
    place,
    home: join(place, "home"),
    out: join(place, "out"),
    async recipe(text: string) {
      await writeFile(join(place, "recipe.yaml"), text);
      return join(place, "recipe.yaml");
    },
  };
}

async function run(args: readonly string[], env: NodeJS.ProcessEnv) {
  await using program = new Program(args, { env });
  const { code } = await program.exited;
  return { code, stdout: program.stdout, stderr: program.stderr };
}

/** Files that do not name their sources. */
async function modelOf(out: string): Promise<Record<string, string>> {
  const digests = await digestsOf(out);
  return Object.fromEntries(Object.entries(digests).filter(([name]) => /safetensors|config|token/.test(name)));
}

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "amalgam-hub-"));
  const { recipe, out, home } = await workplace();
  const { code, stderr } = await run(["merge", await recipe(recipeOf((name) => join(INPUTS, name))), out], {
    HF_HOME: home,
  });
  expect(code, stderr).toBe(0);
  reference = await modelOf(out);
  hub = await HubServer.start();
});
afterAll(async () => {
  await hub?.[Symbol.asyncDispose]();
  await rm(directory, { recursive: true, force: true });
});
beforeEach(() => {
  hub.models.clear();
  commits = Object.fromEntries(MODELS.map((name) => [name, hub.add(`org/${name}`, join(INPUTS, name))]));
  hub.requests.length = 0;
  hub.faults.length = 0;
  hub.sentBytes = 0;
});

test("a merge from the Hub has the bytes of the merge from directories, and names commits", async () => {
  const { recipe, out, home } = await workplace();
  hub.models.get("org/expert2")!.refs.set("refs/pr/1", commits["expert2"]!);
  const names: Record<string, string> = {
    base: "org/base",
    expert1: "org/expert1@main",
    expert2: "org/expert2@refs/pr/1",
  };
  const { code, stderr } = await run(
    ["merge", await recipe(recipeOf((name) => names[name]!)), out],
    hub.environment(home),
  );
  expect(code, stderr).toBe(0);
  expect(await modelOf(out)).toEqual(reference);
  const final = await readFile(join(out, "amalgam-recipe.yaml"), "utf8");
  const manifest = JSON.parse(await readFile(join(out, "amalgam.json"), "utf8"));
  for (const name of MODELS) expect(final).toContain(`org/${name}@${commits[name]}`);
  expect(manifest.inputs.map(({ path }: { path: string }) => path)).toEqual(
    MODELS.map((name) => `org/${name}@${commits[name]}`),
  );
  expect(manifest.inputs[0].files[0]).toMatchObject({ version: commits["base"] });
  expect(await readFile(join(out, "README.md"), "utf8")).toMatch(/^base_model:\n- "org\/base"\n- "org\/expert1"/m);
  // The recipe that was written gives the same weights again.
  const again = join(dirname(out), "again");
  expect((await run(["merge", join(out, "amalgam-recipe.yaml"), again], hub.environment(home))).code).toBe(0);
  expect(await modelOf(again)).toEqual(reference);
});

test("busy servers, broken connections and links that expire do no harm", async () => {
  const { recipe, out, home } = await workplace();
  let answers = 0;
  hub.faults.push(
    (_, response) => void response.writeHead(429, { "retry-after": "0" }).end() === undefined,
    (_, response, where) => where === "store" && void response.writeHead(503).end() === undefined,
    (request, response, where) => {
      if (where !== "store" || request.headers.range === "bytes=0-65535") return false;
      response.writeHead(206, { "content-length": 10_000, "content-range": "bytes 65536-75535/92752" });
      response.write(Buffer.alloc(0), () => response.destroy());
      return true;
    },
    (_, response) => void response.destroy() === undefined,
    (_request, _response, where) => {
      // Every few answers of the store, its links are signed anew.
      if (where === "store" && answers++ % 4 === 3) hub.linkEpoch++;
      return false;
    },
  );
  const { code, stderr } = await run(
    ["merge", await recipe(recipeOf((name) => `org/${name}`)), out],
    hub.environment(home),
  );
  expect(code, stderr).toBe(0);
  expect(await modelOf(out)).toEqual(reference);
  expect(hub.faults).toHaveLength(1);
});

test("a private model is read with the token, which goes to the Hub alone and is written nowhere", async () => {
  const { recipe, out, home, place } = await workplace();
  hub.add("org/expert1", join(INPUTS, "expert1"), "private");
  hub.add("org/expert2", join(INPUTS, "expert2"), "gated");
  await mkdir(home);
  await writeFile(join(home, "token"), `${hub.token}\n`);
  const merge = async (...options: string[]) =>
    run(
      ["merge", await recipe(recipeOf((name) => `org/${name}`)), out, "--log-level", "debug", ...options],
      hub.environment(home),
    );
  // Stopped before it is done, so that its journal is there to be searched.
  hub.faults.push((request, _, where) => where === "store" && request.headers.range !== "bytes=0-65535");
  {
    await using program = new Program(["merge", await recipe(recipeOf((name) => `org/${name}`)), out], {
      env: hub.environment(home),
    });
    await poll(async () => hub.faults.length === 0 || undefined, { what: "the worker reads", timeoutMs: 60_000 });
    await program.end("SIGKILL");
  }
  const { code, stdout, stderr } = await merge();
  expect(code, stderr).toBe(0);
  expect(await modelOf(out)).toEqual(reference);
  expect(hub.leaked).toEqual([]);
  expect(stdout + stderr).not.toContain(hub.token);
  for (const entry of await readdir(place, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile() || entry.parentPath === home) continue;
    expect(readFileSync(join(entry.parentPath, entry.name)).includes(hub.token), entry.name).toBe(false);
  }
});

test("killed midway, the job goes on with the commits it began with, though the branch has moved", async () => {
  const { recipe, out, home, place } = await workplace();
  const names = ["base", "expert-speech", "expert-section"];
  for (const name of names) hub.add(`org/${name}`, join(QUICKSTART, name));
  const of = (name: (model: string) => string) =>
    recipeOf((model) => name({ base: "base", expert1: "expert-speech", expert2: "expert-section" }[model]!));
  const local = await run(["merge", await recipe(of((name) => join(QUICKSTART, name))), join(place, "local")], {});
  expect(local.code, local.stderr).toBe(0);
  const text = await recipe(of((name) => `org/${name}@main`));
  const args = ["merge", text, out, "--shard-bytes", "200kB", "--threads", "1", "--memory", "2MiB"];
  let held = 0;
  const silent: Fault = (_request, _response, where) => where === "store" && ++held > 0;
  await using first = new Program(args, { env: hub.environment(home) });
  await first.line("some shards were written", (line) => /^written [1-9]/.test(line) || undefined);
  hub.faults.push(...Array.from({ length: 100 }, () => silent));
  await poll(async () => held > 0 || undefined, { what: "the store falls silent", timeoutMs: 60_000 });
  await first.end("SIGKILL");
  hub.faults.length = 0;
  for (const name of names) hub.commit(`org/${name}`, join(QUICKSTART, "expert-sentiment"));
  const { code, stdout, stderr } = await run(args, hub.environment(home));
  expect(code, stderr).toBe(0);
  expect(stdout).toContain("going on with job");
  expect(await modelOf(out)).toEqual(await modelOf(join(place, "local")));
  const [commit] = hub.models.get("org/expert-speech")!.commits.keys();
  expect(await readFile(join(out, "amalgam-recipe.yaml"), "utf8")).toContain(`org/expert-speech@${commit}`);
});

test("several processes read the Hub side by side, and one that cannot gets the bytes from the coordinator", async () => {
  const { recipe, out, home, place } = await workplace();
  const text = await recipe(recipeOf((name) => `org/${name}`));
  const args = ["merge", text, out, "--processes", "2", "--shard-bytes", "60000B"];
  const merge = await run(args, hub.environment(home));
  expect(merge.code, merge.stderr).toBe(0);
  expect(await modelOf(out)).toEqual(reference);

  for (const [name, value] of Object.entries(hub.environment(home))) vi.stubEnv(name, value);
  await using cluster = await Cluster.start({ directory: join(place, "cluster"), workers: 0, evaluators: 0 });
  vi.stubEnv("HF_ENDPOINT", "http://127.0.0.1:1");
  const worker = await cluster.startWorker("elsewhere");
  vi.unstubAllEnvs();
  const submitted = await run(
    ["submit", text, join(place, "streamed"), "--kind", "merge", "--watch", "--coordinator", cluster.address],
    {},
  );
  expect(submitted.code, submitted.stderr).toBe(0);
  expect(worker.stderr).toMatch(/ECONNREFUSED/);
  expect(await modelOf(join(place, "streamed"))).toEqual(reference);
});

test("files that the cache has are not fetched; without a network the cache is all there is", async () => {
  const { recipe, out, home, place } = await workplace();
  const text = await recipe(recipeOf((name) => `org/${name}`));
  for (const name of MODELS) {
    const folder = join(home, "hub", `models--org--${name}`);
    const snapshot = join(folder, "snapshots", commits[name]!);
    await mkdir(snapshot, { recursive: true });
    await mkdir(join(folder, "blobs"));
    await mkdir(join(folder, "refs"));
    await writeFile(join(folder, "refs", "main"), commits[name]!);
    for (const file of await readdir(join(INPUTS, name))) {
      await cp(join(INPUTS, name, file), join(folder, "blobs", `of-${file}`));
      await symlink(join("..", "..", "blobs", `of-${file}`), join(snapshot, file));
    }
  }
  expect((await run(["merge", text, out], hub.environment(home))).code).toBe(0);
  expect(hub.sentBytes).toBe(0);
  expect(await modelOf(out)).toEqual(reference);
  const offline = { ...hub.environment(home), HF_HUB_OFFLINE: "1" };
  hub.requests.length = 0;
  const alone = await run(["merge", text, join(place, "offline")], offline);
  expect(alone.code, alone.stderr).toBe(0);
  expect(hub.requests).toEqual([]);
  expect(await modelOf(join(place, "offline"))).toEqual(reference);
  const gone = await run(["inspect", "org/other"], offline);
  expect(gone.stderr).toMatch(/hf:\/\/org\/other: is not in the local cache, and HF_HUB_OFFLINE forbids to ask/);
  expect(gone.code).toBe(66);
});

test("a folder that exists wins over a model of the Hub; with a revision it is an error, and hf:// says what is meant", async () => {
  const { recipe, out, home, place } = await workplace();
  for (const name of MODELS) await cp(join(INPUTS, name), join(place, "org", name), { recursive: true });
  expect((await run(["merge", await recipe(recipeOf((name) => `org/${name}`)), out], hub.environment(home))).code).toBe(
    0,
  );
  expect(hub.requests).toEqual([]);
  const pinned = await run(["plan", await recipe(recipeOf((name) => `org/${name}@main`))], hub.environment(home));
  expect(pinned.code).toBe(65);
  expect(pinned.stderr).toMatch(
    /org\/base: is here on this machine.*revision such as "main" \(leave .* or write hf:\/\/org\/base@main\)/,
  );
  const plan = await run(["plan", await recipe(recipeOf((name) => `hf://org/${name}@main`))], hub.environment(home));
  expect(plan.code, plan.stderr).toBe(0);
  expect(plan.stdout).toContain(`hf://org/base@${commits["base"]}`);
});

test("what is missing, hidden or gated is told, all of it at once", async () => {
  const { recipe, home } = await workplace();
  hub.add("org/expert1", join(INPUTS, "expert1"), "gated");
  const text = recipeOf((name) =>
    name === "base" ? "org/nowhere" : name === "expert1" ? "org/expert1" : "org/expert2@v9",
  );
  const { code, stderr } = await run(["plan", await recipe(text)], hub.environment(home));
  expect(code).toBe(65);
  expect(stderr).toMatch(
    /base: hf:\/\/org\/nowhere: 127.0.0.1:\d+ has no such model, or it is private, and no folder org\/nowhere/,
  );
  expect(stderr).toMatch(
    /one: hf:\/\/org\/expert1@\w+\/\S+: the model is gated \(accept its terms at \S+\/org\/expert1, and set HF_TOKEN\)/,
  );
  expect(stderr).toMatch(/two: hf:\/\/org\/expert2@v9: the model has no such revision/);
  const wrong = await run(["inspect", "org/base"], { ...hub.environment(home), HF_TOKEN: "hf_wrongtoken" });
  expect(wrong.code).toBe(77);
  expect(wrong.stderr).toMatch(/refuses access \(401\) \(HF_TOKEN is not valid/);
  expect(wrong.stderr).not.toContain("wrongtoken");
});

test("models of the Hub are inspected and compared without a download", async () => {
  const { home } = await workplace();
  const inspect = await run(["inspect", "org/base", "--json"], hub.environment(home));
  expect(inspect.code, inspect.stderr).toBe(0);
  const { root, ...report } = JSON.parse(inspect.stdout);
  const local = JSON.parse((await run(["inspect", join(INPUTS, "base"), "--json"], {})).stdout);
  expect(report).toEqual({ ...local, root: undefined });
  expect(root).toBe(`hf://org/base@${commits["base"]}`);
  const diff = await run(["diff", "org/base", "org/expert1@main"], hub.environment(home));
  expect(diff.code, diff.stderr).toBe(0);
  expect(diff.stdout).toBe((await run(["diff", join(INPUTS, "base"), join(INPUTS, "expert1")], {})).stdout);
});

test("an adapter of the Hub changes a base of the Hub as their folders do, and both are pinned", async () => {
  const { recipe, out, home, place } = await workplace();
  const lora = fileURLToPath(new URL("../golden/lora/", import.meta.url));
  const names = ["llama", "llama-plain"];
  const adapted = names.map((name) => hub.add(`org/${name}`, join(lora, name)));
  const text = (base: string, adapter: string) =>
    `merge_method: linear\nmodels: [{ model: ${base}+${adapter} }]\nparameters: { weight: 1 }\n`;
  const local = await run(
    ["merge", await recipe(text(join(lora, "llama"), join(lora, "llama-plain"))), join(place, "local")],
    {},
  );
  expect(local.code, local.stderr).toBe(0);
  const remote = await run(
    ["merge", await recipe(text("org/llama", "org/llama-plain@main")), out],
    hub.environment(home),
  );
  expect(remote.code, remote.stderr).toBe(0);
  expect(await modelOf(out)).toEqual(await modelOf(join(place, "local")));
  const final = await readFile(join(out, "amalgam-recipe.yaml"), "utf8");
  expect(final).toContain(`org/llama@${adapted[0]}+org/llama-plain@${adapted[1]}`);
});
