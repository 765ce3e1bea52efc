/** Whether a model made of slices has the tensors outside of its layers that its config, which is the donor's, speaks of. */
import type { Checkpoint } from "@amalgam/checkpoint";
import { layerPlace } from "@amalgam/checkpoint";
import { TensorRemarks } from "./problems.ts";

/** `merged` are the names of the merged model's tensors. */
export function donorProblems(donor: Checkpoint, merged: ReadonlySet<string>): string[] {
  const remarks = new TensorRemarks();
  for (const { stored, absent } of donor.tied) {
    for (const name of absent) {
      if (!merged.has(name)) continue;
      const rule = `% would be a parameter of its own, which the config of ${donor.root} ties to ${stored[0]}`;
      remarks.add(
        `${rule} (take the last slice from models that tie it too, or give a \`base_model\` that does not)`,
        name,
      );
    }
  }
  for (const name of donor.tensors.keys()) {
    if (layerPlace(name) !== undefined || merged.has(name)) continue;
    const rule = `% would be missing, which ${donor.root}, whose config the merged model gets, has`;
    remarks.add(
      `${rule} (the first slice's models give what comes before the layers, the last one's what follows)`,
      name,
    );
  }
  return remarks.lines();
}
