/**
 * Matches the tensors of all slots by name: which are merged, which are copied, and every reason why they do not fit together. The tensors of
 * the merged model are those of the reference: the base, or the first model where there is none.
 */
import {
  type Checkpoint,
  type CheckpointError,
  compareCheckpoints,
  isDerivedBuffer,
  isFloat,
  resolveTensor,
  type TensorRef,
} from "@amalgam/checkpoint";
import { isFloatDType } from "@amalgam/kernels";
import type { Recipe } from "../recipe/index.ts";
import { companionSource } from "./companions.ts";
import { TensorRemarks } from "./problems.ts";
import type { SlotHeader } from "./types.ts";

/** Slot of the checkpoint whose tensors, config and tokenizer the merged model has. */
export const REFERENCE_SLOT = 0;

export interface MatchedTensor {
  readonly tensor: TensorRef;
  readonly action: "merge" | "copy";
  /** One for each slot; for copies only the reference's. */
  readonly sources: readonly (TensorRef | undefined)[];
}

export interface Match {
  /** In the order of the reference's bytes. */
  readonly tensors: readonly MatchedTensor[];
  readonly problems: readonly string[];
  readonly notes: readonly string[];
}

interface Matcher {
  readonly headers: readonly SlotHeader[];
  readonly reference: Checkpoint;
  /** Slots that some variant reads. */
  readonly used: ReadonlySet<number>;
  readonly problems: TensorRemarks;
  /** Tensors that are copied, or left out where only models have them. */
  readonly isKept: (name: string) => boolean;
}

export function matchTensors(recipe: Recipe, headers: readonly SlotHeader[], used: ReadonlySet<number>): Match {
  const reference = headers[REFERENCE_SLOT]?.checkpoint;
  if (reference === undefined) throw new Error("a job has at least one slot");
  const problems = new TensorRemarks();
  const notes = new TensorRemarks();
  const models = headers.filter(({ slot }, index) => slot.kind === "model" && index !== REFERENCE_SLOT);
  const names = new Set(
    [reference, ...models.map(({ checkpoint }) => checkpoint)].flatMap(({ tensors }) => [...tensors.keys()]),
  );
  const { excluded, unmatched } = excludedTensors(recipe.exclude, names);
  const isKept = (name: string): boolean => excluded.has(name) || isDerivedBuffer(name);
  // Integers are buffers: they are copied from the reference, whatever the models have.
  const isOptional = (name: string): boolean =>
    isKept(name) ||
    [reference, ...models.map(({ checkpoint }) => checkpoint)].every((checkpoint) => !hasFloat(checkpoint, name));
  const comparison = compareCheckpoints(
    reference,
    models.map(({ checkpoint }) => checkpoint),
    { isOptional },
  );
  for (const problem of comparison.problems) problems.add(sentence(problem), problem.tensor ?? "");
  for (const warning of comparison.warnings) {
    if (warning.tensor !== undefined && !reference.tensors.has(warning.tensor)) {
      notes.add(`${warning.file}: % left out: not in ${reference.root}`, warning.tensor);
    }
  }
  for (const model of models) findUntied(model, reference, problems);
  const matcher: Matcher = { headers, reference, used, problems, isKept };
  const tensors = inFileOrder(reference).map((tensor) => matchTensor(matcher, tensor));
  return {
    tensors,
    problems: [
      ...headers.flatMap(quantisationProblem),
      ...problems.lines(),
      ...unmatched.map((pattern) => `exclude: \`${pattern}\` matches no tensor: remove it or correct it`),
    ],
    notes: notes.lines(),
  };
}

function excludedTensors(
  patterns: readonly string[],
  names: ReadonlySet<string>,
): { excluded: Set<string>; unmatched: string[] } {
  const excluded = new Set<string>();
  const unmatched: string[] = [];
  for (const pattern of patterns) {
    const expression = new RegExp(pattern);
    const before = excluded.size;
    let matches = 0;
    for (const name of names) {
      if (!expression.test(name)) continue;
      excluded.add(name);
      matches++;
    }
    if (matches === 0 && excluded.size === before) unmatched.push(pattern);
  }
  return { excluded, unmatched };
}

const hasFloat = (checkpoint: Checkpoint, name: string): boolean => {
  const tensor = checkpoint.tensors.get(name);
  return tensor !== undefined && isFloat(tensor.dtype);
};

function sentence({ file, rule, hint }: CheckpointError): string {
  return `${file}: %: ${rule} (${hint ?? "use models of one architecture and vocabulary"}; or list it under \`exclude\`)`;
}

function inFileOrder(checkpoint: Checkpoint): TensorRef[] {
  const order = new Map(checkpoint.files.map(({ name }, index) => [name, index]));
  const place = ({ file }: TensorRef): number => order.get(file) ?? 0;
  return [...checkpoint.tensors.values()].toSorted((a, b) => place(a) - place(b) || a.offset - b.offset);
}

function matchTensor(matcher: Matcher, tensor: TensorRef): MatchedTensor {
  const { headers, used, isKept, problems } = matcher;
  if (isKept(tensor.name) || !isFloat(tensor.dtype)) {
    const sources = headers.map((_, slot) => (slot === REFERENCE_SLOT ? tensor : undefined));
    return { tensor, action: "copy", sources };
  }
  const sources = headers.map(({ slot, checkpoint }, index) => {
    if (!used.has(index)) return undefined;
    if (slot.kind === "companion") return companionSource(matcher, slot, checkpoint, tensor);
    const source = resolveTensor(checkpoint, tensor.name);
    if (source !== undefined && isFloat(source.dtype) && !isFloatDType(source.dtype)) {
      problems.add(
        `${checkpoint.root}: %: ${source.dtype} values cannot be merged (convert the model to bfloat16 or float32)`,
        tensor.name,
      );
    }
    return source;
  });
  return { tensor, action: "merge", sources };
}

/** A model may store a copy of a tied tensor, but not a parameter of its own where the reference shares one. */
function findUntied({ checkpoint }: SlotHeader, reference: Checkpoint, problems: TensorRemarks): void {
  for (const { stored, absent } of reference.tied) {
    for (const name of absent) {
      const tiedHere = checkpoint.tied.some(
        (group) => group.stored.includes(name) && stored.some((other) => group.stored.includes(other)),
      );
      if (!checkpoint.tensors.has(name) || tiedHere) continue;
      problems.add(
        `${checkpoint.root}: % is a parameter of its own, which ${reference.root} ties to ${stored[0]} (tie_word_embeddings in config.json must agree)`,
        name,
      );
    }
  }
}

function quantisationProblem({ checkpoint }: SlotHeader): string[] {
  if (checkpoint.config?.["quantization_config"] === undefined) return [];
  return [
    `${checkpoint.root}: is quantised: config.json has quantization_config (convert the model to bfloat16 or float32 first)`,
  ];
}
