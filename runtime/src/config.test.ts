import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { z } from "zod";
import { loadConfig, variableOf } from "./config.ts";
import { nearest } from "./nearest.ts";

const folder = mkdtempSync(join(tmpdir(), "amalgam-config-"));
afterAll(() => rmSync(folder, { recursive: true }));
const file = (text: string) => {
  const path = join(folder, "settings.json");
  writeFileSync(path, text);
  return path;
};

const schema = z.object({
  coordinatorAddress: z.string().default("127.0.0.1:7070"),
  leaseMs: z.number().int().positive().default(30_000),
  insecure: z.boolean().default(false),
  tasks: z.array(z.string()).optional(),
  logLevel: z.enum(["debug", "info"]).default("info"),
});

test("text from the environment becomes what the schema wants", () => {
  const env = { AMALGAM_LEASE_MS: "1500", AMALGAM_INSECURE: "1", AMALGAM_TASKS: "sst2, mnli", HOME: "/x" };
  const config = loadConfig(schema, { env });
  expect(config).toEqual({
    coordinatorAddress: "127.0.0.1:7070",
    leaseMs: 1500,
    insecure: true,
    tasks: ["sst2", "mnli"],
    logLevel: "info",
  });
  expect(Object.isFrozen(config)).toBe(true);
});

test("the command line goes before the environment, the environment before the file, the file before defaults", () => {
  const path = file('{ "leaseMs": 1, "coordinatorAddress": "file:1", "logLevel": "debug" }');
  const env = { AMALGAM_LEASE_MS: "2", AMALGAM_COORDINATOR_ADDRESS: "env:1", AMALGAM_LOG_LEVEL: "" };
  const config = loadConfig(schema, { env, file: path, overrides: { leaseMs: 3, coordinatorAddress: undefined } });
  expect(config).toMatchObject({ leaseMs: 3, coordinatorAddress: "env:1", logLevel: "debug", insecure: false });
});

test("every problem is reported at once, each by the name of what set it", () => {
  const load = () =>
    loadConfig(schema.extend({ natsUrl: z.string() }), {
      env: { AMALGAM_LEASE_MS: "soon", AMALGAM_CORDINATOR_ADDRESS: "x:1", AMALGAM_INSECURE: "maybe" },
      file: file('{ "leaseSeconds": 4 }'),
      overrides: { logLevel: "loud", taskz: ["a"] },
    });
  expect(load).toThrow(expect.objectContaining({ code: "invalid_argument" }));
  expect(load).toThrow(/AMALGAM_LEASE_MS: .*number/);
  expect(load).toThrow(/AMALGAM_CORDINATOR_ADDRESS: no such variable; did you mean AMALGAM_COORDINATOR_ADDRESS\?/);
  expect(load).toThrow(/AMALGAM_INSECURE: .*boolean/);
  expect(load).toThrow(/settings.json: leaseSeconds: no such setting/);
  expect(load).toThrow(/--log-level: .*"debug"\|"info"/);
  expect(load).toThrow(/--taskz: no such option; did you mean tasks\?/);
  expect(load).toThrow(/AMALGAM_NATS_URL: .* \(not set\)/);
});

test("variables that are somebody else's are let be", () => {
  const env = { AMALGAM_NATS_SERVER: "/bin/nats-server", AMALGAM_DATA: "/data" };
  expect(() => loadConfig(schema, { env })).toThrow(/AMALGAM_DATA: no such variable/);
  expect(loadConfig(schema, { env, alsoKnown: ["AMALGAM_DATA"] }).leaseMs).toBe(30_000);
});

test("a file that cannot be read is one of the problems", () => {
  expect(() => loadConfig(schema, { env: {}, file: join(folder, "absent.json") })).toThrow(
    /absent.json: cannot be read/,
  );
  expect(() => loadConfig(schema, { env: {}, file: file("[1]") })).toThrow(/must hold one JSON object/);
});

test("numbers that are not numbers are refused, also blank ones", () => {
  for (const text of ["1s", " ", "0x", "NaN"])
    expect(() => loadConfig(schema, { env: { AMALGAM_LEASE_MS: text } })).toThrow(/AMALGAM_LEASE_MS/);
});

test("variable names follow from the keys, and near names are found", () => {
  expect(variableOf("grpcMaxReceiveBytes2")).toBe("AMALGAM_GRPC_MAX_RECEIVE_BYTES2");
  expect(nearest("AMALGAM_LEASE_MSS", ["AMALGAM_LEASE_MS", "AMALGAM_LEASES"])).toBe("AMALGAM_LEASE_MS");
  expect(nearest("entirely_else", ["AMALGAM_LEASE_MS"])).toBeUndefined();
  expect(nearest("tise", ["linear", "ties", "slerp"])).toBe("ties");
  expect(nearest("x", [])).toBeUndefined();
});
