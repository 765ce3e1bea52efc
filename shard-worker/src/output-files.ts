// The output files of jobs as this worker writes them: off the compute threads, and open until the job is forgotten.
import { openRangeWriter, type RangeWriter } from "@amalgam/checkpoint";
import { fileFailure } from "./file-failure.ts";

/** Merged bytes and where they go. */
export interface OutputRange {
  readonly path: string;
  /** Absolute offset in the file. */
  readonly offset: number;
  readonly bytes: Uint8Array;
}

/** Disposing closes the files of all jobs. */
export interface OutputFiles extends AsyncDisposable {
  /**
   * Resolves when the ranges are written. They are not on the disk yet, but their bytes may be used for something else.
   * @throws TaskError when the disk is full or fails
   */
  write(jobId: string, ranges: readonly OutputRange[]): Promise<void>;
  /** Resolves when what was written to the ranges is on the disk. */
  flush(jobId: string, ranges: readonly Pick<OutputRange, "path">[]): Promise<void>;
  /** Closes the files of the job. */
  forget(jobId: string): Promise<void>;
}

export function createOutputFiles(): OutputFiles {
  const jobs = new Map<string, Map<string, Promise<RangeWriter>>>();

  const writerOf = (jobId: string, path: string): Promise<RangeWriter> => {
    const writers = jobs.get(jobId) ?? new Map<string, Promise<RangeWriter>>();
    jobs.set(jobId, writers);
    const opening = writers.get(path) ?? openRangeWriter(path);
    writers.set(path, opening);
    opening.catch(() => writers.delete(path));
    return opening;
  };
  const forget = async (jobId: string): Promise<void> => {
    const opening = [...(jobs.get(jobId)?.values() ?? [])];
    jobs.delete(jobId);
    const opened = await Promise.allSettled(opening);
    for (const each of opened) if (each.status === "fulfilled") await each.value[Symbol.asyncDispose]();
  };

  return {
    async write(jobId, ranges) {
      try {
        for (const { path, offset, bytes } of ranges) await (await writerOf(jobId, path)).write(bytes, offset);
      } catch (error) {
        throw fileFailure(error, byteCount(ranges));
      }
    },
    async flush(jobId, ranges) {
      try {
        const paths = new Set(ranges.map(({ path }) => path));
        await Promise.all([...paths].map(async (path) => (await writerOf(jobId, path)).flush()));
      } catch (error) {
        throw fileFailure(error);
      }
    },
    forget,
    async [Symbol.asyncDispose]() {
      for (const jobId of jobs.keys()) await forget(jobId);
    },
  };
}

export function byteCount(ranges: readonly OutputRange[]): number {
  return ranges.reduce((sum, { bytes }) => sum + bytes.byteLength, 0);
}
