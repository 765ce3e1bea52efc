// The items that `amalgam fisher` looks at: a task's, or those of a data file with the labels of a task or of the model.
import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import {
  defaultEstimator,
  type Estimator,
  loadTasks,
  parseTasks,
  type TaskSet,
  taskOfModel,
  taskWithData,
} from "@amalgam/evaluator";
import { AmalgamError, toAmalgamError } from "@amalgam/runtime";

export interface FisherDataOptions {
  readonly task?: string;
  readonly data?: string;
  readonly split: string;
  readonly estimator?: Estimator;
}

export interface FisherData {
  readonly tasks: TaskSet;
  readonly task: string;
  readonly split: string;
  /** The one that is named, else the one that the task's kind has. */
  readonly estimator: Estimator;
  /** How many the split has. */
  readonly items: number;
  /** sha256 (hex) of the task with its items. */
  readonly digest: string;
}

/** @param config the model's `config.json` */
export async function readFisherData(config: unknown, options: FisherDataOptions): Promise<FisherData> {
  const { split } = options;
  const tasks = await readTask(config, options);
  const [task] = tasks.values();
  if (task!.kind === "command") {
    throw new AmalgamError("invalid_argument", `task ${task!.name}: a command cannot be differentiated`);
  }
  const items = task!.splits.get(split);
  if (items === undefined) {
    const known = [...task!.splits.keys()].join(", ");
    throw new AmalgamError("invalid_argument", `task ${task!.name}: has no split "${split}"; it has ${known}`);
  }
  const { splits: _, ...header } = task!;
  const digest = createHash("sha256")
    .update(JSON.stringify([header, items.examples], digested))
    .digest("hex");
  const estimator = options.estimator ?? defaultEstimator(task!);
  return { tasks, task: task!.name, split, estimator, items: items.examples.length, digest };
}

/** Bytes by what they are: in JSON they would be a key for each. */
function digested(_: string, value: unknown): unknown {
  return value instanceof Uint8Array || value instanceof Float32Array
    ? createHash("sha256").update(value).digest("hex")
    : value;
}

async function readTask(config: unknown, { task: path, data, split, estimator }: FisherDataOptions): Promise<TaskSet> {
  if (data === undefined) {
    if (path !== undefined) return loadTasks([path]);
    throw new AmalgamError("invalid_argument", "name what the model is to be tried on, with --task, --data or both");
  }
  const file = { path: data, bytes: await read(data) };
  const options = { split, data: file, unlabelled: estimator !== "empirical" };
  if (path === undefined) return parseTasks([taskOfModel(config, options)]);
  return parseTasks([taskWithData(path, new TextDecoder().decode(await read(path)), options)]);
}

async function read(path: string): Promise<Uint8Array> {
  try {
    return await readFile(path);
  } catch (error) {
    const { code, message } = toAmalgamError(error);
    throw new AmalgamError(code, `${path}: cannot be read: ${message}`, { cause: error });
  }
}
