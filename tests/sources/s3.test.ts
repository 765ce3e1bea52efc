// Checkpoints in S3-compatible storage, by the real command against a real server that checks signatures.
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { AwsV4Signer } from "aws4fetch";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { digestsOf } from "../harness/digests.ts";
import { Program } from "../harness/program.ts";
import { S3Server, signatureOf } from "../harness/s3-server.ts";

const INPUTS = fileURLToPath(new URL("../golden/mergekit/inputs/", import.meta.url));
const MODELS = ["base", "expert1", "expert2"];

const recipeOf = (name: (model: string) => string): string => `merge_method: task_arithmetic
base_model: "${name("base")}"
models:
  - { model: "${name("expert1")}", parameters: { weight: 0.5 } }
  - { model: "${name("expert2")}", parameters: { weight: 0.25 } }
`;

let directory: string;
let storage: S3Server;

async function run(args: readonly string[], env: NodeJS.ProcessEnv) {
  await using program = new Program(args, { env });
  const { code } = await program.exited;
  return { code, stdout: program.stdout, stderr: program.stderr };
}

async function merge(name: string, recipe: string, env: NodeJS.ProcessEnv) {
  const place = join(directory, name);
  await mkdir(place);
  await writeFile(join(place, "recipe.yaml"), recipe);
  const out = join(place, "out");
  return { out, ...(await run(["merge", join(place, "recipe.yaml"), out], env)) };
}

async function modelOf(out: string): Promise<Record<string, string>> {
  const digests = await digestsOf(out);
  return Object.fromEntries(Object.entries(digests).filter(([name]) => /safetensors|config|token/.test(name)));
}

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "amalgam-s3-test-"));
  storage = await S3Server.start("models");
  for (const name of MODELS) await storage.upload(join(INPUTS, name), "models", `some team's/v1 (final)+/${name}`);
});
afterAll(async () => {
  await storage?.[Symbol.asyncDispose]();
  await rm(directory, { recursive: true, force: true });
});
beforeEach(() => {
  storage.isPublic = false;
  storage.served.length = 0;
  storage.refused.length = 0;
});

// https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html, "Example: GET Object" and "Get Bucket (List Objects)".
test.each([
  ["/test.txt", { range: "bytes=0-9" }, "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"],
  ["/?max-keys=2&prefix=J", {}, "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7"],
])(
  "our check and the library that signs agree with Amazon's published signature of GET %s",
  async (path, more, signature) => {
    const secret = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
    const empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    const host = "examplebucket.s3.amazonaws.com";
    const headers = { ...more, "x-amz-content-sha256": empty, "x-amz-date": "20130524T000000Z" };
    const names = ["host", ...Object.keys(headers)].toSorted().join(";");
    expect(signatureOf({ method: "GET", url: path, headers: { host, ...headers } }, secret, "us-east-1", names)).toBe(
      signature,
    );
    const signer = new AwsV4Signer({
      method: "GET",
      url: `https://${host}${path}`,
      headers: { ...more, "x-amz-content-sha256": empty },
      accessKeyId: "AKIAIOSFODNN7EXAMPLE",
      secretAccessKey: secret,
      service: "s3",
      region: "us-east-1",
      datetime: "20130524T000000Z",
      allHeaders: true,
    });
    expect(await signer.signature()).toBe(signature);
  },
);

test("a merge from S3 has the bytes of the merge from directories, every request signed, and no key in what it writes", async () => {
  const local = await merge(
    "local",
    recipeOf((name) => join(INPUTS, name)),
    {},
  );
  expect(local.code, local.stderr).toBe(0);
  const text = recipeOf((name) => `s3://models/some team's/v1 (final)/${name}`);
  // A + would begin the name of an adapter in a recipe.
  storage.isPublic = true;
  for (const name of MODELS) await storage.upload(join(INPUTS, name), "models", `some team's/v1 (final)/${name}`);
  storage.isPublic = false;
  storage.served.length = 0;
  const { code, stderr, out } = await merge("remote", text, storage.environment);
  expect(code, stderr).toBe(0);
  expect(await modelOf(out)).toEqual(await modelOf(local.out));
  expect(storage.refused).toEqual([]);
  expect(storage.served.length).toBeGreaterThan(6);
  for (const file of ["amalgam.json", "amalgam-recipe.yaml", "README.md"]) {
    const written = await readFile(join(out, file), "utf8");
    for (const secret of Object.values(storage.keys)) expect(written).not.toContain(secret);
  }
});

test("one safetensors object is a checkpoint, and keys with any characters are found", async () => {
  const object = "s3://models/some team's/v1 (final)+/base/model-00001-of-00002.safetensors";
  const { code, stdout, stderr } = await run(["inspect", object, "--json"], storage.environment);
  expect(code, stderr).toBe(0);
  const local = await run(["inspect", join(INPUTS, "base", "model-00001-of-00002.safetensors"), "--json"], {});
  expect({ ...JSON.parse(stdout), root: "" }).toEqual({ ...JSON.parse(local.stdout), root: "" });
  expect(storage.refused).toEqual([]);
});

test("without keys only public buckets are read; wrong ones are told apart from missing ones, and never shown", async () => {
  const none = { ...storage.environment, AWS_ACCESS_KEY_ID: "", AWS_SECRET_ACCESS_KEY: "", AWS_SESSION_TOKEN: "" };
  const base = "s3://models/some team's/v1 (final)+/base";
  const refused = await run(["inspect", base], none);
  expect(refused.code).toBe(77);
  expect(refused.stderr).toMatch(/refuses access \(403\) \(set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY/);
  const wrong = await run(["inspect", base], { ...storage.environment, AWS_SECRET_ACCESS_KEY: "wrongsecret" });
  expect(wrong.code).toBe(77);
  expect(wrong.stderr).toMatch(/refuses access \(403\) \(check AWS_ACCESS_KEY_ID/);
  expect(wrong.stderr).not.toContain("wrongsecret");
  const half = await run(["inspect", base], { ...storage.environment, AWS_SECRET_ACCESS_KEY: "" });
  expect(half.stderr).toMatch(/only one of AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY is set/);
  storage.isPublic = true;
  expect((await run(["inspect", base], none)).code).toBe(0);
});

test("what is not there is told", async () => {
  const folder = await run(["inspect", "s3://models/nowhere"], storage.environment);
  expect(folder.code).toBe(66);
  expect(folder.stderr).toMatch(/s3:\/\/models\/nowhere: has no files \(check bucket and prefix\)/);
  const bucket = await run(["inspect", "s3://nobucket/x"], storage.environment);
  expect(bucket.code).toBe(66);
  expect(bucket.stderr).toMatch(/does not exist on 127.0.0.1:\d+ \(404\)/);
});

test("an object that is replaced while a job reads is refused", async () => {
  const place = join(directory, "changing");
  await mkdir(place);
  for (const name of ["a", "b"])
    await storage.put(
      "models",
      `${name}.safetensors`,
      await readFile(join(INPUTS, "base/model-00001-of-00002.safetensors")),
    );
  await writeFile(
    join(place, "recipe.yaml"),
    "merge_method: linear\nmodels: [{ model: s3://models/a.safetensors }, { model: s3://models/b.safetensors }]\nparameters: { weight: 0.5 }\n",
  );
  const other = await readFile(join(INPUTS, "expert1/model-00001-of-00002.safetensors"));
  const args = [
    "merge",
    join(place, "recipe.yaml"),
    join(place, "out"),
    "--shard-bytes",
    "40kB",
    "--log-level",
    "debug",
  ];
  await using program = new Program(args, { env: storage.environment });
  await program.line("the job was planned", (line) => line.startsWith("merge job") || undefined);
  await storage.put("models", "b.safetensors", other);
  const { code } = await program.exited;
  const { stderr } = program;
  expect(code, stderr).not.toBe(0);
  expect(stderr).toMatch(/s3:\/\/models\/b.safetensors: the file changed on the server after it was opened/);
});
