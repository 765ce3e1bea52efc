// Checkpoints on a web server that knows nothing but files: folders, single files, what changes, what is hostile.
import { createHash } from "node:crypto";
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { digestsOf } from "../harness/digests.ts";
import { Program } from "../harness/program.ts";

const INPUTS = fileURLToPath(new URL("../golden/mergekit/inputs/", import.meta.url));
const QUICKSTART = fileURLToPath(new URL("../../examples/quickstart/", import.meta.url));

let directory: string;
let server: Server;
const files = new Map<string, Uint8Array>();
let sentBytes = 0;

const url = (path: string): string => `http://127.0.0.1:${(server.address() as AddressInfo).port}/${path}`;

async function publish(from: string, to: string): Promise<void> {
  for (const name of await readdir(from)) files.set(`/${to}/${name}`, await readFile(join(from, name)));
}

async function run(...args: string[]) {
  await using program = new Program(args);
  const { code } = await program.exited;
  return { code, stdout: program.stdout, stderr: program.stderr };
}

async function merge(name: string, recipe: string, ...options: string[]) {
  const place = join(directory, name);
  await mkdir(place);
  await writeFile(join(place, "recipe.yaml"), recipe);
  const out = join(place, "out");
  const ended = await run("merge", join(place, "recipe.yaml"), out, ...options);
  const digests = ended.code === 0 ? await digestsOf(out) : {};
  return {
    ...ended,
    model: Object.fromEntries(Object.entries(digests).filter(([file]) => /safetensors|config|token/.test(file))),
  };
}

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "amalgam-web-"));
  server = createServer((request, response) => {
    const bytes = files.get(decodeURIComponent(new URL(request.url ?? "/", "http://server").pathname));
    if (bytes === undefined) {
      response.writeHead(404).end();
      return;
    }
    const match = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? "");
    const first = Number(match?.[1] ?? 0);
    const part = match === null ? bytes : bytes.subarray(first, Number(match[2]) + 1);
    const range = { "content-range": `bytes ${first}-${first + part.length - 1}/${bytes.length}` };
    response.writeHead(match === null ? 200 : 206, {
      etag: `"${createHash("sha1").update(bytes).digest("hex")}"`,
      "content-length": part.length,
      ...(match === null ? {} : range),
    });
    sentBytes += request.method === "HEAD" ? 0 : part.length;
    response.end(request.method === "HEAD" ? undefined : part);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
});
afterAll(async () => {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
  await rm(directory, { recursive: true, force: true });
});

test("a merge from a web server has the bytes of the merge from directories: folders, indexes, single files, Fisher files", async () => {
  const models = ["base", "expert-speech", "expert-section"];
  for (const name of models) await publish(join(QUICKSTART, name), `models/${name}`);
  const recipe = (place: (path: string) => string) => `merge_method: fisher
base_model: ${place("base")}
models:
  - { model: ${place("expert-speech")}, parameters: { weight: 1 } }
  - { model: ${place("expert-section")}, fisher: ${place("expert-section/fisher.safetensors")}, parameters: { weight: 0.5 } }
`;
  const local = await merge(
    "local",
    recipe((path) => join(QUICKSTART, path)),
  );
  expect(local.code, local.stderr).toBe(0);
  sentBytes = 0;
  const remote = await merge(
    "remote",
    recipe((path) => url(`models/${path}`)),
  );
  expect(remote.code, remote.stderr).toBe(0);
  expect(remote.model).toEqual(local.model);
  expect(Object.keys(remote.model)).toContain("tokenizer.json");
  // Two experts and what is known of them; each byte once, headers and side files a few times.
  const needed = models
    .slice(1)
    .flatMap((name) => ["model", "fisher"].map((file) => files.get(`/models/${name}/${file}.safetensors`)!.length));
  const total = needed.reduce((sum, bytes) => sum + bytes, 0);
  expect(sentBytes).toBeGreaterThan(0.9 * total);
  expect(sentBytes).toBeLessThan(1.35 * total);
});

test("a method of several passes fetches its inputs once, though its tensors are cut", async () => {
  const models = ["base", "expert-speech", "expert-section"];
  for (const name of models) await publish(join(QUICKSTART, name), `passes/${name}`);
  sentBytes = 0;
  const recipe = `merge_method: ties_official\nbase_model: ${url("passes/base")}\nmodels: [{ model: ${url("passes/expert-speech")} }, { model: ${url("passes/expert-section")} }]\nparameters: { density: 0.3 }\n`;
  const { code, stderr } = await merge("passes", recipe, "--shard-bytes", "1MB");
  expect(code, stderr).toBe(0);
  const total = models.reduce((sum, name) => sum + files.get(`/passes/${name}/model.safetensors`)!.length, 0);
  expect(sentBytes).toBeGreaterThan(total);
  expect(sentBytes).toBeLessThan(1.35 * total);
});

test("an index that names files outside of its folder is refused, and nothing of the kind is asked for", async () => {
  const weights = await readFile(join(INPUTS, "base", "model-00001-of-00002.safetensors"));
  files.set("/secret.safetensors", weights);
  for (const [index, name] of [
    "../secret.safetensors",
    "/secret.safetensors",
    "%2e%2e%2fsecret.safetensors",
    "http://127.0.0.1/secret.safetensors",
  ].entries()) {
    files.set(
      `/hostile-${index}/model.safetensors.index.json`,
      Buffer.from(JSON.stringify({ weight_map: { w: name } })),
    );
    const { code, stderr } = await run("inspect", url(`hostile-${index}`));
    expect(code, name).not.toBe(0);
    expect(stderr).toMatch(/separators could lead out of the directory|does not exist on 127.0.0.1/);
  }
});

test("an endless answer to a small file, and a page in the place of weights, are refused", async () => {
  files.set("/page/model.safetensors", Buffer.from("<!doctype html><title>Sign in</title>".padEnd(500)));
  const page = await run("inspect", url("page"));
  expect(page.stderr).toMatch(/model.safetensors: not a safetensors file: it is a web page/);
  files.set("/large/config.json", new Uint8Array(17_000_000));
  files.set("/large/model.safetensors", await readFile(join(QUICKSTART, "base", "model.safetensors")));
  const large = await run("inspect", url("large"));
  expect(large.stderr).toMatch(/config.json: has more than 16000000 bytes/);
  const nothing = await run("inspect", url("nothing"));
  expect(nothing.stderr).toMatch(/has neither model.safetensors nor model.safetensors.index.json \(check the address/);
});
