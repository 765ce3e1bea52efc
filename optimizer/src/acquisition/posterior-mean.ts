// The members' mean belief of the score, to be maximised where the best guess itself is to be evaluated.

import type { Member } from "../model/ensemble.ts";
import type { Acquisition } from "./acquisition.ts";
import { sampleFantasies } from "./fantasies.ts";
import { posteriorAt } from "./posterior.ts";

/** In standardised scores: the weighted mean of the members' medians. */
export function createPosteriorMean(members: readonly Member[]): Acquisition {
  const parts = members.map((member) => ({ ...member, plain: sampleFantasies(member.gp, [], new Float64Array()) }));
  return {
    evaluate(points, count, values, gradients) {
      values.fill(0, 0, count);
      gradients?.fill(0);
      for (const { plain, targets, weight } of parts) {
        const posterior = posteriorAt(plain, points, count, gradients !== undefined);
        for (let r = 0; r < count; r++) values[r]! += weight * targets.unwarp(posterior.means[r]!);
        if (gradients === undefined) continue;
        const slopes = posterior.means.map((mean) => weight * targets.slope(mean));
        posterior.addGradients(slopes, new Float64Array(count), gradients);
      }
    },
  };
}
