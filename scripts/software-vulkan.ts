// Where a software Vulkan driver and the Vulkan loader are, for tests on machines without a GPU. Both are found through the
// environment of a process when it starts.
import { existsSync } from "node:fs";
import { join } from "node:path";

const DRIVER = "vk_swiftshader_icd.json";
/** What `ensure-vulkan-driver.ts` fetches, and where Debian's chromium puts it. */
export const fetchedDirectory: string = join(import.meta.dirname, "..", ".cache", "vulkan");
const DIRECTORIES = [fetchedDirectory, "/usr/lib/chromium"];

/** Variables that make a process use the driver; undefined when it is not here, or the environment names another one. */
export function softwareVulkan(env: NodeJS.ProcessEnv): Record<string, string> | undefined {
  const directory = DIRECTORIES.find((each) => existsSync(join(each, DRIVER)));
  if (directory === undefined || env["VK_ICD_FILENAMES"] !== undefined) return undefined;
  const libraries = [directory, env["LD_LIBRARY_PATH"]].filter(Boolean).join(":");
  return { VK_ICD_FILENAMES: join(directory, DRIVER), LD_LIBRARY_PATH: libraries };
}
