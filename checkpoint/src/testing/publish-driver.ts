// Stages and publishes a small model, and kills itself with SIGKILL at the step named. Run by publish-crash.test.ts as a child.
//   node publish-driver.ts <outDir> <planDigest> <fill byte> <step or "none"> [overwrite]

import { sha256Bytes } from "../digest.ts";
import { planOutputFiles, type TensorSpec } from "../layout.ts";
import { sealAndPublish } from "../publish.ts";
import type { MergedPiece } from "../staged-digests.ts";
import { createStaging, findPublished } from "../staging.ts";

const [outDir = "", planDigest = "", fill = "", killAt = "none", overwrite] = process.argv.slice(2);

function reached(step: string): void {
  if (step === killAt) process.kill(process.pid, "SIGKILL");
}

const specs: TensorSpec[] = Array.from({ length: 6 }, (_, i) => ({
  name: `layers.${i}.w`,
  dtype: "F32",
  shape: [1000 + i],
}));
const layout = planOutputFiles(specs, 10_000);

if ((await findPublished(outDir, (manifest) => manifest.planDigest === planDigest)) === undefined) {
  await using staging = await createStaging(outDir, layout, { planDigest, overwrite: overwrite === "overwrite" });
  process.stdout.write(staging.resumed ? "resumed\n" : "fresh\n");
  reached("staged");
  const pieces: MergedPiece[] = [];
  for (const [i, { name }] of specs.entries()) {
    const { file, begin, end } = staging.locate(name);
    const bytes = new Uint8Array(end - begin).fill(Number(fill) + i);
    pieces.push({ tensor: name, begin, end, sha256: sha256Bytes(bytes), isFresh: false });
    await staging.writeRange(file, begin, bytes);
    if (i === 2) reached("half-written");
  }
  await staging.flush();
  reached("written");
  const provenance = { recipe: `fill: ${fill}\n`, seed: 1, versions: { amalgam: "0" }, inputs: [] };
  const sideFiles = [{ name: "config.json", bytes: "{}\n" }];
  await sealAndPublish(staging, { pieces, sideFiles, modelCard: "# card\n", provenance, onStep: reached });
}
