// `amalgam verify`: whether a merged model still is what its manifest says.
import { verifyPublished } from "@amalgam/checkpoint";
import type { CommandContext } from "../context.ts";

export async function run(context: CommandContext, directory: string): Promise<void> {
  const { tensors, files } = await verifyPublished(directory, { signal: context.signal });
  if (context.json) context.printJson({ verified: directory, tensors: tensors.size, files: files.size });
  else context.print(`${directory}: ${tensors.size} tensors and ${files.size} files are those of the manifest`);
}
