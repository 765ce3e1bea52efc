// `amalgam inspect`: what is in a checkpoint, or in a LoRA adapter. Reads headers only.

import { join } from "node:path";
import {
  type Artefact,
  inspectAdapter,
  inspectCheckpoint,
  isAdapterDirectory,
  maskFile,
  openAdapter,
  openCheckpoint,
  openTensorFile,
  readArtefact,
  resolveReference,
  tasksPerMaskFile,
  vectorFile,
} from "@amalgam/checkpoint";
import type { CommandContext } from "../context.ts";
import { formatTable } from "../render/table.ts";
import { formatBytes, formatCount } from "../render/units.ts";

export async function run(
  context: CommandContext,
  path: string,
  options: { readonly tensors?: boolean },
): Promise<void> {
  const location = await resolveReference(path);
  if (await isAdapterDirectory(location)) return printAdapter(context, location, options);
  const artefact = await readArtefact(location, { signal: context.signal });
  if (artefact !== undefined) return printArtefact(context, location, artefact);
  const report = inspectCheckpoint(await openCheckpoint(location, { signal: context.signal }));
  if (context.json) {
    const layers = [...report.byLayer].map(([layer, totals]) => ({ layer: layer ?? null, ...totals }));
    return context.printJson({ ...report, byLayer: layers });
  }
  const { total, architecture, modelType } = report;
  context.print(`${path}: ${architecture ?? modelType ?? "a checkpoint without config.json"}`);
  context.print(`${formatCount(total.parameters)} parameters in ${total.tensors} tensors, ${formatBytes(total.bytes)}`);
  context.print("");
  const dtypes = [...report.byDType].map(([dtype, each]) => [
    dtype,
    String(each.tensors),
    formatCount(each.parameters),
    formatBytes(each.bytes),
  ]);
  for (const line of formatTable(["dtype", "tensors", "parameters", "bytes"], dtypes)) context.print(line);
  context.print("");
  if (report.modules.length > 1) {
    const modules = report.modules.map(({ name, layers, tensors, parameters, bytes }) => {
      return [name, String(layers), String(tensors), formatCount(parameters), formatBytes(bytes)];
    });
    for (const line of formatTable(["module", "layers", "tensors", "parameters", "bytes"], modules))
      context.print(line);
    context.print("");
  }
  const rows = options.tensors
    ? report.tensors.map(({ name, dtype, shape, byteLength }) => [
        name,
        dtype,
        shape.join("×") || "scalar",
        formatBytes(byteLength),
      ])
    : [...report.byLayer].map(([layer, each]) => [
        layer ?? "(outside layers)",
        String(each.tensors),
        formatCount(each.parameters),
        formatBytes(each.bytes),
      ]);
  const header = options.tensors ? ["tensor", "dtype", "shape", "bytes"] : ["layer", "tensors", "parameters", "bytes"];
  for (const line of formatTable(header, rows)) context.print(line);
  context.print("");
  context.print(
    `files: ${report.files.map(({ name, byteLength }) => `${name} (${formatBytes(byteLength)})`).join(", ")}`,
  );
  if (report.sideFiles.length > 0) context.print(`beside: ${report.sideFiles.join(", ")}`);
}

async function printAdapter(
  context: CommandContext,
  path: string,
  options: { readonly tensors?: boolean },
): Promise<void> {
  const report = inspectAdapter(await openAdapter(path, { signal: context.signal }));
  if (context.json) return context.printJson(report);
  const { baseModel, modules, replaced, total } = report;
  context.print(`${path}: a LoRA adapter${baseModel === undefined ? "" : ` of ${baseModel}`}`);
  context.print(`${formatCount(total.parameters)} parameters in ${total.tensors} tensors, ${formatBytes(total.bytes)}`);
  context.print("");
  const rows = options.tensors
    ? modules.map(({ path: module, rank, alpha }) => [module, String(rank), String(alpha)])
    : [
        ...Map.groupBy(modules, ({ path: module, rank, alpha }) => [module.split(".").at(-1), rank, alpha].join("\t")),
      ].map(([key, group]) => [...key.split("\t"), String(group.length)]);
  const header = options.tensors ? ["module", "rank", "alpha"] : ["modules", "rank", "alpha", "number"];
  for (const line of formatTable(header, rows)) context.print(line);
  if (replaced.length > 0) {
    context.print("");
    context.print(`instead of the base's: ${replaced.join(", ")}`);
  }
}

async function printArtefact(context: CommandContext, path: string, artefact: Artefact): Promise<void> {
  const { method, tasks, baseDigest, exclude } = artefact;
  const masks = Array.from({ length: Math.ceil(tasks.length / tasksPerMaskFile) }, (_, group) => maskFile(group));
  const files = await Promise.all(
    [vectorFile, ...masks].map(async (name) => {
      const { total } = inspectCheckpoint(await openTensorFile(join(path, name), { signal: context.signal }));
      return { name, ...total };
    }),
  );
  if (context.json) return context.printJson({ artefact: method, tasks, baseDigest, exclude, files });
  context.print(`${path}: an artefact of ${method}, not a model`);
  context.print("`amalgam materialize` makes the model of one of its tasks:");
  context.print("");
  for (const line of formatTable(
    ["task", "scale"],
    tasks.map(({ name, scale }) => [name, String(scale)]),
  ))
    context.print(line);
  context.print("");
  const rows = files.map(({ name, tensors, bytes }) => [name, String(tensors), formatBytes(bytes)]);
  for (const line of formatTable(["file", "tensors", "bytes"], rows)) context.print(line);
}
