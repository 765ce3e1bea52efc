// A disk whose power can be cut: ext4 in a file, mounted. What was written and not synced is in the page cache of the mounted
// file system and not in the file, so a copy of the file is what a power cut leaves. The disk itself keeps what it was given:
// a drive that loses its own cache is not simulated. Needs root.
import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { mkdir, open, rm } from "node:fs/promises";
import { basename, join } from "node:path";
import { promisify } from "node:util";
import { poll } from "@amalgam/runtime";
import { onTestFinished } from "vitest";

const execute = promisify(execFile);
const IMAGE_BYTES = 24 * 1024 * 1024;
const TIMEOUT_MS = 10_000;
/** Nothing gets to the disk by itself in the time of a test, and renaming syncs nothing: only what is synced is there. */
const MOUNT_OPTIONS = "loop,commit=300,noauto_da_alloc";

/** Unmounted on disposal; the images stay where they are. */
export class PowerDisk implements AsyncDisposable {
  /** The mount point. */
  readonly path: string;
  readonly #image: string;
  #isMounted = false;
  #statistics = "";

  private constructor(directory: string) {
    this.path = join(directory, "disk");
    this.#image = join(directory, "disk.ext4");
    // A test that times out disposes of nothing itself.
    onTestFinished(() => this.unmount());
  }

  /** An empty one, mounted at `disk` in `directory`. */
  static async create(directory: string): Promise<PowerDisk> {
    const disk = new PowerDisk(directory);
    await mkdir(disk.path);
    await using image = await open(disk.#image, "w");
    await image.truncate(IMAGE_BYTES);
    // Everything is initialised now, or the kernel would go on with it while programs run.
    await execute("mkfs.ext4", ["-q", "-E", "lazy_itable_init=0,lazy_journal_init=0", disk.#image]);
    await disk.mount(disk.#image);
    return disk;
  }

  /** Mounts a copy that a cut has left in the place of the disk. */
  async mount(image: string): Promise<void> {
    await execute("mount", ["-o", MOUNT_OPTIONS, image, this.path]);
    this.#isMounted = true;
    const { stdout } = await execute("findmnt", ["--noheadings", "--output", "SOURCE", this.path]);
    this.#statistics = join("/sys/block", basename(stdout.trim()), "stat");
  }

  async unmount(): Promise<void> {
    if (!this.#isMounted) return;
    const unmounted = (): Promise<true> => execute("umount", [this.path]).then(() => true);
    await poll(unmounted, { what: `unmounting ${this.path}`, timeoutMs: TIMEOUT_MS });
    this.#isMounted = false;
  }

  /** How many writes have reached the disk so far; undefined while some are on their way. */
  get writes(): number | undefined {
    // https://docs.kernel.org/block/stat.html: the fifth field counts writes, the ninth requests in flight.
    const fields = readFileSync(this.#statistics, "utf8").trim().split(/\s+/).map(Number);
    return fields[8] === 0 ? fields[4] : undefined;
  }

  /**
   * Copies what a power cut at one moment leaves to `copy`; a copy during which something was written is of no one moment,
   * and made again. Returns the writes that had reached the disk. The file is read, not the device, whose cache holds
   * metadata that are not on the disk yet.
   */
  cut(copy: string): Promise<number> {
    const attempt = async (): Promise<number | undefined> => {
      const before = this.writes;
      if (before === undefined) return undefined;
      await execute("cp", ["--sparse=always", this.#image, copy]);
      return this.writes === before ? before : undefined;
    };
    return poll(attempt, { what: "a moment without writes", timeoutMs: TIMEOUT_MS, intervalMs: 1 });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.unmount();
    await rm(this.#image, { force: true });
  }
}
