import { expect, test } from "vitest";
import { createLogger, type LogLevel, redact } from "./log.ts";

function capture(level?: LogLevel) {
  const lines: string[] = [];
  const stream = { write: (line: string) => lines.push(line) };
  const log = createLogger({ role: "worker", stream, fields: { worker: "w1" }, ...(level && { level }) });
  return { log, lines, last: () => JSON.parse(lines.at(-1) ?? "{}") as Record<string, unknown> };
}

test("a line is one JSON object with level, time, role, the fields of the logger and of its parents", () => {
  const { log, lines, last } = capture();
  log.child({ job: "j1" }).info({ shard: 3 }, "leased");
  expect(lines[0]).toMatch(/^\{.*\}\n$/);
  expect(last()).toMatchObject({ level: "info", role: "worker", worker: "w1", job: "j1", shard: 3, msg: "leased" });
  expect(last()["time"]).toMatch(/^\d{4}-\d{2}-\d{2}T.*Z$/);
});

test("an error is logged with its stack and its cause", () => {
  const { log, last } = capture();
  log.error({ err: new Error("outer", { cause: new Error("inner") }) }, "failed");
  expect(last()["err"]).toMatchObject({
    message: expect.stringContaining("outer"),
    stack: expect.stringContaining("inner"),
  });
});

test("lines below the level are not written", () => {
  const { log, lines } = capture("warn");
  log.info("quiet");
  log.warn("heard");
  expect(lines).toHaveLength(1);
});

test("secrets do not get out, by field name or by shape", () => {
  const { log, lines } = capture();
  log.info({ token: "abc1", nested: { password: "abc2" } }, "hf_abc3defghi");
  log.warn({ url: "nats://ann:abc4@host:4222/x", err: new Error("Authorization: Bearer abc5.def") }, "refused");
  expect(lines.join("")).not.toMatch(/abc\d/);
  expect(lines[1]).toContain("nats://***@host:4222/x");
  expect(redact("tokens like nats://host:4222 stay")).toBe("tokens like nats://host:4222 stay");
});
