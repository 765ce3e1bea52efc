// Settings of the role processes: options win over AMALGAM_ variables, those over a JSON file.
import { coordinatorSettings } from "@amalgam/coordinator/settings";
import { evaluatorSettings } from "@amalgam/evaluator/settings";
import { loadConfig, variableOf } from "@amalgam/runtime";
import { shardWorkerSettings } from "@amalgam/shard-worker/settings";

/** One environment may serve all roles: a variable of another role is no mistake. */
const VARIABLES = [coordinatorSettings, evaluatorSettings, shardWorkerSettings].flatMap(({ shape }) =>
  Object.keys(shape).map(variableOf),
);
/** Read by the command line itself. */
const OWN = ["AMALGAM_LOG_LEVEL", "AMALGAM_METHODS"];

type Schema = Parameters<typeof loadConfig>[0];

/** @throws AmalgamError invalid_argument with every problem of every source */
export function loadSettings<S extends Schema>(
  schema: S,
  file: string | undefined,
  overrides: Readonly<Record<string, unknown>>,
): ReturnType<typeof loadConfig<S>> {
  return loadConfig(schema, { env: process.env, file, overrides, alsoKnown: [...VARIABLES, ...OWN] });
}
