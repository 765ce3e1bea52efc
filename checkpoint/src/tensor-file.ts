// One safetensors file, written tensor by tensor and there only when it is complete: a rename puts it in its place. For files beside
// models, such as Fisher information; the weights of a merge go through staging.ts.
import { open, rename, rm } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { syncDirectory } from "./durable.ts";
import { CheckpointError } from "./errors.ts";
import { layoutFile, type TensorSpec } from "./layout.ts";
import { withSystemErrors } from "./system-error.ts";

/** Disposing it before `commit` removes what was written. */
export interface TensorFileWriter extends AsyncDisposable {
  /** Writes a whole tensor, in any order; little-endian row-major bytes, which stay as they are until this resolves. */
  write(tensor: string, bytes: Uint8Array): Promise<void>;
  /** Flushes the file to the disk and puts it in its place, where it replaces an earlier one. Throws when a tensor was not written. */
  commit(): Promise<void>;
}

/**
 * Begins a file of these tensors beside its final place, under a name of its own.
 * @param metadata what the header says beside the tensors; `format` is added
 * @throws CheckpointError for names or shapes that the format does not allow, and when the system refuses
 */
export async function createTensorFile(
  path: string,
  specs: readonly TensorSpec[],
  metadata: Readonly<Record<string, string>> = {},
): Promise<TensorFileWriter> {
  const { header, fileBytes, tensors } = layoutFile(specs, { format: "pt", ...metadata }, path);
  const partial = join(dirname(path), `.${basename(path)}.amalgam-partial`);
  const missing = new Set(tensors.keys());
  const handle = await withSystemErrors(path, "write it", () => open(partial, "w"));
  let closed = false;
  const close = async (): Promise<void> => {
    if (closed) return;
    closed = true;
    await handle.close();
  };
  const writeAll = async (bytes: Uint8Array, offset: number): Promise<void> => {
    let done = 0;
    while (done < bytes.length) {
      done += (await handle.write(bytes, done, bytes.length - done, offset + done)).bytesWritten;
    }
  };
  let placed = false;
  const writer: TensorFileWriter = {
    async write(tensor, bytes) {
      const place = tensors.get(tensor);
      if (place === undefined) throw new CheckpointError({ file: path, tensor, rule: "the file has no such tensor" });
      if (bytes.length !== place.end - place.begin) {
        const rule = `has ${place.end - place.begin} bytes, not ${bytes.length}`;
        throw new CheckpointError({ file: path, tensor, rule });
      }
      await withSystemErrors(path, "write it", () => writeAll(bytes, place.begin));
      missing.delete(tensor);
    },
    async commit() {
      const [tensor] = missing;
      if (tensor !== undefined) throw new CheckpointError({ file: path, tensor, rule: "was not written" });
      await withSystemErrors(path, "write it", async () => {
        await handle.sync();
        await close();
        await rename(partial, path);
      });
      placed = true;
      await syncDirectory(dirname(path));
    },
    async [Symbol.asyncDispose]() {
      await close();
      if (!placed) await rm(partial, { force: true });
    },
  };
  try {
    await withSystemErrors(path, "write it", async () => {
      await writeAll(header, 0);
      await handle.truncate(fileBytes);
    });
  } catch (error) {
    await writer[Symbol.asyncDispose]();
    throw error;
  }
  return writer;
}
