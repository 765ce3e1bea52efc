// What the models of a search were weighted by, in a sentence for the report. Pure.
import type { FisherSection } from "../recipe/index.ts";

/** @param estimate as `Importance.estimate` of the job's view has it; undefined where the method asks for no importance */
export function weightingText(estimate: string | undefined, fisher: FisherSection | undefined): string {
  const made = (where: string): string => {
    const { items, estimator } = fisher!;
    const how = { exact: "exact over all answers", sampled: "one answer drawn each", empirical: "of the right answer" };
    return `Entries of the models are weighted by Fisher information, estimated ${where} on up to ${items} items of each model's task (${how[estimator]}).`;
  };
  switch (estimate) {
    case "per_trial":
      return made("anew at the coefficients of each candidate");
    case "once":
      return made("at the models themselves");
    case "files":
      return "Entries of the models are weighted by Fisher information from files.";
    case "none":
      return "All entries of the models weigh the same: the search was made without Fisher information.";
    default:
      return "";
  }
}
