// `amalgam devices`: what this machine can merge with, and how fast.
import { availableParallelism } from "node:os";
import { type BackendReport, fastest, measureBackends } from "@amalgam/devices";
import type { CommandContext } from "../context.ts";
import { formatTable } from "../render/table.ts";
import { formatBytes, formatCount } from "../render/units.ts";

export async function run(context: CommandContext, options: { readonly threads?: number }): Promise<void> {
  const backends = await measureBackends(options.threads ?? availableParallelism());
  const auto = fastest(backends);
  if (context.json) return context.printJson({ auto, backends });
  const header = ["back-end", "parameters/s", "bytes/s", "bits of wasm"];
  const measured = backends.filter(({ available }) => available);
  for (const line of formatTable(header, measured.map(cells))) context.print(line);
  context.print("");
  for (const { backend, description } of backends) context.print(`${backend}: ${description}`);
  context.print("");
  context.print(`auto takes ${auto}: the fastest that gives the bits of wasm`);
}

const cells = ({ backend, parametersPerSecond, bytesPerSecond, sameBits }: BackendReport): string[] => [
  backend,
  formatCount(Math.round(parametersPerSecond)),
  formatBytes(Math.round(bytesPerSecond)),
  sameBits ? "yes" : "no",
];
