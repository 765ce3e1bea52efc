import { spawn } from "node:child_process";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { expect, test } from "vitest";
import { lstatIfAny } from "./system-error.ts";
import { temporaryDirectory } from "./testing/support.ts";
import { verifyPublished } from "./verify-published.ts";

const driver = join(import.meta.dirname, "testing", "publish-driver.ts");

interface Run {
  readonly signal: NodeJS.Signals | null;
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

function run(...args: string[]): Promise<Run> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [driver, ...args], { stdio: ["ignore", "pipe", "pipe"] });
    const output = Promise.all([text(child.stdout), text(child.stderr)]);
    child.once("error", reject);
    child.once("close", async (status, signal) => {
      const [stdout, stderr] = await output;
      resolve({ status, signal, stdout, stderr });
    });
  });
}

async function contents(directory: string): Promise<Map<string, string>> {
  const names = (await readdir(directory)).toSorted();
  return new Map(
    await Promise.all(names.map(async (name) => [name, await readFile(join(directory, name), "latin1")] as const)),
  );
}

const steps = ["staged", "half-written", "written", "verified", "sealed", "renamed", "published"];

test.concurrent.each(steps)(
  "killed when %s, the output is absent or complete, and the same command finishes it",
  async (step) => {
    await using parent = await temporaryDirectory();
    const out = join(parent.path, "out");
    const reference = join(parent.path, "reference");
    expect((await run(reference, "plan-a", "1", "none")).status).toBe(0);

    expect((await run(out, "plan-a", "1", step)).signal).toBe("SIGKILL");
    const published = step === "renamed" || step === "published";
    if (published) await verifyPublished(out);
    else expect(await lstatIfAny(out)).toBeUndefined();

    const second = await run(out, "plan-a", "1", "none");
    expect(second).toMatchObject({ status: 0, stdout: published ? "" : "resumed\n" });
    await verifyPublished(out);
    expect(await contents(out)).toEqual(await contents(reference));
    expect((await readdir(parent.path)).toSorted()).toEqual(["out", "reference"]);
  },
);

test.concurrent.each([...steps, "replacing"])(
  "killed when %s over an old model, the path has the old or the new one",
  async (step) => {
    await using parent = await temporaryDirectory();
    const out = join(parent.path, "out");
    expect((await run(out, "plan-a", "1", "none")).status).toBe(0);

    expect((await run(out, "plan-b", "9", step, "overwrite")).signal).toBe("SIGKILL");
    const replaced = step === "renamed" || step === "published";
    // Between the two renames alone the path is empty; the old model then waits in the staging directory.
    if (step === "replacing") expect(await lstatIfAny(out)).toBeUndefined();
    else expect((await verifyPublished(out)).planDigest).toBe(replaced ? "plan-b" : "plan-a");

    expect(await run(out, "plan-b", "9", "none", "overwrite")).toMatchObject({
      status: 0,
      stdout: replaced ? "" : "resumed\n",
    });
    expect((await verifyPublished(out)).planDigest).toBe("plan-b");
    expect(await readdir(parent.path)).toEqual(["out"]);
  },
);

test.concurrent("a kill between the renames, then another plan without leave to overwrite: the old model is back", async () => {
  await using parent = await temporaryDirectory();
  const out = join(parent.path, "out");
  await run(out, "plan-a", "1", "none");
  await run(out, "plan-b", "9", "replacing", "overwrite");
  const refused = await run(out, "plan-c", "5", "none");
  expect(refused.status).not.toBe(0);
  expect(refused.stderr).toMatch(/already holds a merged model/);
  expect((await verifyPublished(out)).planDigest).toBe("plan-a");
});

test.concurrent("staged bytes of another plan are not taken up", async () => {
  await using parent = await temporaryDirectory();
  const out = join(parent.path, "out");
  await run(out, "plan-a", "1", "written");
  expect(await run(out, "plan-b", "9", "none")).toMatchObject({ status: 0, stdout: "fresh\n" });
  expect((await verifyPublished(out)).recipe).toBe("fill: 9\n");
});
