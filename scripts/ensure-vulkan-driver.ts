/**
 * Makes sure that the tests of the WebGPU back-end have a device: takes the GPU, or the software driver, that is here, or fetches
 * SwiftShader and the Vulkan loader out of Debian's package chromium-common (31 MB) into `.cache/vulkan`. Without one those tests
 * are skipped and say so, which is no failure: not every machine can have it. Usage: npx node scripts/ensure-vulkan-driver.ts
 */
import { execFile } from "node:child_process";
import { copyFile, mkdir, mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { fetchedDirectory, softwareVulkan } from "./software-vulkan.ts";

const run = promisify(execFile);
const FILES = ["libvk_swiftshader.so", "libvulkan.so.1", "vk_swiftshader_icd.json"];
const PROBE = `
  const { create } = await import("webgpu");
  const gpu = create([]);
  const adapter = await gpu.requestAdapter();
  console.log(adapter?.info.description ?? "");
  process.exit(0);`;

/** The adapter that a process with these variables finds; empty when there is none. */
async function adapter(variables: Record<string, string>): Promise<string> {
  const cwd = join(import.meta.dirname, "..", "devices");
  const env = { ...process.env, ...variables };
  const found = run(process.execPath, ["--input-type=module", "--eval", PROBE], { cwd, env });
  return (await found.catch(() => ({ stdout: "" }))).stdout.trim();
}

async function fetchByApt(): Promise<void> {
  const work = await mkdtemp(join(tmpdir(), "vulkan-"));
  try {
    await run("apt-get", ["download", "chromium-common"], { cwd: work });
    const archive = (await readdir(work)).find((name) => name.endsWith(".deb"))!;
    await run("dpkg-deb", ["-x", archive, work], { cwd: work });
    await mkdir(fetchedDirectory, { recursive: true });
    for (const name of FILES) await copyFile(join(work, "usr/lib/chromium", name), join(fetchedDirectory, name));
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

async function main(): Promise<string> {
  const hardware = await adapter({});
  if (hardware !== "") return `WebGPU: ${hardware}`;
  if (softwareVulkan(process.env) === undefined) {
    try {
      await fetchByApt();
    } catch (error) {
      const reason = error instanceof Error ? error.message.trim().split("\n")[0] : String(error);
      return `WebGPU: no adapter here, and no software driver could be fetched by apt (${reason}); its tests are skipped`;
    }
  }
  const software = await adapter(softwareVulkan(process.env) ?? {});
  return software === "" ? "WebGPU: the software driver does not start; its tests are skipped" : `WebGPU: ${software}`;
}

process.stdout.write(`${await main()}\n`);
