// What an evaluator knows of a job besides the weights, out of its message.
import { EvaluationSpecSchema, type FisherSpec, type ShardLayout } from "@amalgam/proto";
import { fromBinary } from "@bufbuild/protobuf";
import { parsePreprocessor } from "../images/processor.ts";
import { openSubject, type SubjectOptions } from "../subject.ts";
import { parseTasks } from "../tasks/task.ts";

export interface ReadSpec {
  readonly subject: Omit<SubjectOptions, "allowCommands">;
  /** What commands find beside the weights, by name. */
  readonly sideFiles: ReadonlyMap<string, Uint8Array>;
  readonly layouts: ReadonlyMap<number, ShardLayout>;
  /** How importance is estimated, in jobs that ask for it. */
  readonly fisher: FisherSpec | undefined;
}

/** @throws EvaluatorError with every problem of every task */
export function readEvaluationSpec(bytes: Uint8Array): ReadSpec {
  const spec = fromBinary(EvaluationSpecSchema, bytes);
  const { tokenizerJson, tokenizerConfigJson: tokenizerConfig } = spec;
  const tokenizer = { tokenizerJson, ...(tokenizerConfig === "" ? {} : { tokenizerConfig }) };
  const stored = new Map(
    spec.shards.flatMap(({ segments }) => segments.map(({ tensor, shape }) => [tensor, shape.map(Number)] as const)),
  );
  const tasks = spec.tasks.map(({ name, yaml, files }) => {
    return { path: name, yaml, files: new Map(Object.entries(files)) };
  });
  return {
    subject: {
      config: spec.configJson === "" ? undefined : JSON.parse(spec.configJson),
      stored: (tensor) => stored.has(tensor),
      graph: spec.graph && { path: spec.graph.path, bytes: spec.graph.onnx, tensors: stored },
      tokenizer: tokenizerJson === "" ? undefined : tokenizer,
      preprocessor: parsePreprocessor(spec.preprocessorConfigJson || undefined),
      tasks: parseTasks(tasks),
    },
    sideFiles: new Map(Object.entries(spec.sideFiles)),
    layouts: new Map(spec.shards.map((layout) => [layout.shard, layout])),
    fisher: spec.fisher,
  };
}

/**
 * What an evaluator would refuse a job for, found before the job is begun.
 * @throws EvaluatorError as `createScorer` does
 */
export function checkEvaluationSpec(bytes: Uint8Array, allowCommands: boolean): void {
  openSubject({ ...readEvaluationSpec(bytes).subject, allowCommands });
}
