/** What a plan will make, as the checkpoint that it will be: a merge of it can be planned before it is there. */
import { createHash } from "node:crypto";
import { join } from "node:path";
import { type Checkpoint, type TensorRef, tiedGroups } from "@amalgam/checkpoint";
import type { Plan, SlotHeader } from "./types.ts";

/** `directory` is where the model will be. Sizes, headers and names are final; identities of files are those of none. */
export function plannedCheckpoint(
  { output, config, donorSlot }: Plan,
  headers: readonly SlotHeader[],
  directory: string,
): Checkpoint {
  const tensors = new Map<string, TensorRef>();
  const files = output.files.map(({ name: file, header, fileBytes, tensors: placed }) => {
    for (const [name, { dtype, shape, begin, end }] of placed) {
      tensors.set(name, { name, dtype, shape, file, offset: begin, byteLength: end - begin });
    }
    return {
      name: file,
      path: join(directory, file),
      byteLength: fileBytes,
      headerSha256: createHash("sha256").update(header).digest("hex"),
      headerBytes: header.length,
      identity: { byteLength: fileBytes, mtimeNs: 0n, inode: 0n, device: 0n },
    };
  });
  return {
    root: directory,
    config,
    tensors,
    files,
    sideFiles: headers[donorSlot]?.checkpoint.sideFiles ?? [],
    tied: tiedGroups(config, (name) => tensors.has(name)),
    identityDigest: "",
  };
}
