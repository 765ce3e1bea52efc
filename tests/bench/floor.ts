// The least a merge can do: reads every weight file of the inputs once, then writes as many bytes as the first input has and syncs
// them. Usage: node floor.ts OUTPUT MODEL...
import { closeSync, fdatasyncSync, openSync, readdirSync, readSync, statSync, unlinkSync, writeSync } from "node:fs";
import { join } from "node:path";

const [output, ...models] = process.argv.slice(2);
if (output === undefined || models.length === 0) throw new Error("usage: floor.ts OUTPUT MODEL...");
const buffer = new Uint8Array(8 * 2 ** 20);
const weights = (model: string): string[] =>
  readdirSync(model)
    .filter((name) => name.endsWith(".safetensors"))
    .map((name) => join(model, name));

for (const file of models.flatMap(weights)) {
  const fd = openSync(file, "r");
  while (readSync(fd, buffer) > 0);
  closeSync(fd);
}
const fd = openSync(output, "w");
let left = weights(models[0]!).reduce((bytes, file) => bytes + statSync(file).size, 0);
while (left > 0) left -= writeSync(fd, buffer, 0, Math.min(left, buffer.length));
fdatasyncSync(fd);
closeSync(fd);
unlinkSync(output);
