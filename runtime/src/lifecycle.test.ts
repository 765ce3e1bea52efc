import { spawn } from "node:child_process";
import { once } from "node:events";
import { expect, test } from "vitest";

/** Runs a main in a process of its own; `whenReady` is called once it prints "ready". */
async function runMain(body: string, whenReady?: (kill: (signal: NodeJS.Signals) => void) => void, options = "{}") {
  const source = `
    import { runProcess, untilAborted } from "./lifecycle.ts";
    import { AmalgamError } from "./errors.ts";
    const say = (text) => process.stdout.write(text + "\\n");
    await runProcess(async (scope, signal) => { ${body} }, ${options});
  `;
  const child = spawn(process.execPath, ["--input-type=module-typescript", "--eval", source], {
    cwd: import.meta.dirname,
    stdio: ["ignore", "pipe", "pipe"],
  });
  const said: Record<"out" | "err", string> = { out: "", err: "" };
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    said.out += text;
    if (text.includes("ready")) whenReady?.((signal) => child.kill(signal));
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    said.err += text;
  });
  const [status, signal] = await once(child, "close");
  return { status, signal, ...said };
}

const withScope = 'scope.defer(async () => say("second released")); scope.defer(async () => say("first released"));';

test.concurrent("a main that returns exits with what it says, its resources released in reverse order", async () => {
  const { status, out, err } = await runMain(`${withScope} return 3;`);
  expect({ status, out, err }).toEqual({ status: 3, out: "first released\nsecond released\n", err: "" });
});

test.concurrent("a failure is reported once, in one line, with the exit status of its code", async () => {
  const { status, out, err } = await runMain(
    `${withScope} throw new AmalgamError("unavailable", "cannot reach nats://a:secret@host", { cause: new Error("x") });`,
  );
  expect({ status, out }).toEqual({ status: 69, out: "first released\nsecond released\n" });
  expect(err).toBe("amalgam: cannot reach nats://***@host\n");
});

test.concurrent("a bug is reported with its stack and exits with 70", async () => {
  const { status, err } = await runMain("undefined.x;");
  expect(status).toBe(70);
  expect(err).toMatch(/^amalgam: Cannot read properties of undefined.*\n.*TypeError(.|\n)* at /);
});

test.concurrent("a server drains on SIGTERM and exits as it says", async () => {
  const body = `${withScope} say("ready"); await untilAborted(signal); say("draining: " + signal.reason.message);`;
  const { status, out } = await runMain(body, (kill) => kill("SIGTERM"));
  expect({ status, out }).toEqual({
    status: 0,
    out: "ready\ndraining: stopped by SIGTERM\nfirst released\nsecond released\n",
  });
});

test.concurrent("a command interrupted by Ctrl-C exits with 130 and reports nothing", async () => {
  const body = `${withScope} say("ready"); setInterval(() => {}, 1000); await untilAborted(signal); signal.throwIfAborted();`;
  const { status, out, err } = await runMain(body, (kill) => kill("SIGINT"));
  expect({ status, out, err }).toEqual({ status: 130, out: "ready\nfirst released\nsecond released\n", err: "" });
});

test.concurrent("a second signal exits at once", async () => {
  const body = `setInterval(() => {}, 1000); signal.addEventListener("abort", () => say("ready again"));
    say("ready"); await new Promise(() => {});`;
  const { status } = await runMain(body, (kill) => kill("SIGTERM"));
  expect(status).toBe(143);
});

test.concurrent("a main that does not stop is ended after the grace", async () => {
  const body = 'say("ready"); setInterval(() => {}, 1000); await new Promise(() => {});';
  const { status, err } = await runMain(body, (kill) => kill("SIGTERM"), "{ graceMs: 100 }");
  expect(status).toBe(143);
  expect(err).toBe("amalgam: not stopped within 100 ms; exiting without it\n");
});

test.concurrent("a rejection that nobody handles ends the process after its resources were released", async () => {
  const body = `${withScope} setTimeout(() => Promise.reject(new Error("forgotten")), 10); await untilAborted(signal);`;
  const { status, out, err } = await runMain(body);
  expect({ status, out }).toEqual({ status: 70, out: "first released\nsecond released\n" });
  expect(err).toMatch(/^amalgam: unhandled: forgotten\nError: forgotten\n/);
  expect(err.match(/unhandled/g)).toHaveLength(1);
});

test.concurrent("a resource that cannot be released makes the process fail", async () => {
  const body = 'scope.defer(async () => { throw new AmalgamError("data_loss", "not flushed"); }); return 0;';
  const { status, err } = await runMain(body);
  expect({ status, err }).toEqual({ status: 74, err: "amalgam: not flushed\n" });
});
