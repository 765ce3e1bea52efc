// What of a plan no device can do: for people who asked for one.
import { graphObstacle } from "@amalgam/kernels";
import type { Plan } from "./types.ts";

/** A sentence for each method that WebAssembly kernels merge although the job's back-end is another. */
export function deviceNotes({ variants }: Plan): string[] {
  const notes = variants.flatMap(({ groups }) =>
    groups.flatMap(({ graph }) => {
      const obstacle = graphObstacle(graph);
      return obstacle === undefined ? [] : [`${graph.method.name} is merged by wasm: ${obstacle}`];
    }),
  );
  return [...new Set(notes)];
}
