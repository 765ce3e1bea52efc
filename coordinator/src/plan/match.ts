/**
 * Matches the tensors of all slots by name: which are merged, which are copied, and every reason why they do not fit together. The tensors of
 * a part of the merged model are those of its reference: the base, or the first model where there is none.
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
import type { PartInputs } from "./part-inputs.ts";
import { TensorRemarks } from "./problems.ts";
import type { SlotHeader } from "./types.ts";

export interface MatchedTensor {
  /** By the name that it gets. */
  readonly tensor: TensorRef;
  readonly action: "merge" | "copy";
  /** One for each slot; for copies only the reference's. */
  readonly sources: readonly (TensorRef | undefined)[];
  readonly inputs: PartInputs;
}

export interface Match {
  /** Part after part, each in the order of its reference's bytes. */
  readonly tensors: readonly MatchedTensor[];
  readonly problems: readonly string[];
  readonly notes: readonly string[];
}

interface Matcher {
  readonly inputs: PartInputs;
  readonly reference: Checkpoint;
  /** Slots that some variant reads. */
  readonly used: ReadonlySet<number>;
  readonly problems: TensorRemarks;
  /** Tensors that are copied, or left out where only models have them. */
  readonly isKept: (name: string) => boolean;
}

/** `used` are the slots that some variant reads. */
export function matchTensors(
  recipe: Recipe,
  headers: readonly SlotHeader[],
  parts: readonly PartInputs[],
  used: ReadonlySet<number>,
): Match {
  const problems = new TensorRemarks();
  const notes = new TensorRemarks();
  const { excluded, unmatched } = excludedTensors(recipe.exclude, checkpointNames(parts));
  const tensors = parts.flatMap((inputs) => {
    const reference = checkpointAt(inputs, inputs.reference);
    const copied = inputs.part === undefined;
    const isKept = (name: string): boolean => copied || excluded.has(name) || isDerivedBuffer(name);
    const matcher: Matcher = { inputs, reference, used, problems, isKept };
    if (!copied) compareModels(matcher, notes);
    return inFileOrder(reference).map((tensor) => matchTensor(matcher, tensor));
  });
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

function checkpointAt({ headers }: PartInputs, slot: number): Checkpoint {
  const checkpoint = headers[slot]?.checkpoint;
  if (checkpoint === undefined) throw new Error(`a part has nothing of its slot ${slot}`);
  return checkpoint;
}

/** The models of a part beside its reference. */
const otherModels = ({ headers, reference }: PartInputs): SlotHeader[] =>
  headers.flatMap((header, slot) =>
    header === undefined || header.slot.kind === "companion" || slot === reference ? [] : [header],
  );

function checkpointNames(parts: readonly PartInputs[]): Set<string> {
  const checkpoints = parts.flatMap((inputs) => [
    checkpointAt(inputs, inputs.reference),
    ...otherModels(inputs).map(({ checkpoint }) => checkpoint),
  ]);
  return new Set(checkpoints.flatMap(({ tensors }) => [...tensors.keys()]));
}

/** Every reason why the models of a part do not fit its reference. */
function compareModels({ inputs, reference, problems, isKept }: Matcher, notes: TensorRemarks): void {
  const models = otherModels(inputs);
  const checkpoints = models.map(({ checkpoint }) => checkpoint);
  // Integers are buffers: they are copied from the reference, whatever the models have.
  const isOptional = (name: string): boolean =>
    isKept(name) || [reference, ...checkpoints].every((checkpoint) => !hasFloat(checkpoint, name));
  const isBase = inputs.headers[inputs.reference]?.slot.kind === "base";
  const comparison = compareCheckpoints(reference, checkpoints, {
    isOptional,
    reference: isBase ? "the base" : "the first model",
  });
  for (const problem of comparison.problems) problems.add(sentence(problem), problem.tensor ?? "");
  for (const warning of comparison.warnings) {
    if (warning.tensor !== undefined && !reference.tensors.has(warning.tensor)) {
      notes.add(`${warning.file}: % left out: not in ${reference.root}`, warning.tensor);
    }
  }
  for (const model of models) findUntied(model, reference, problems);
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
  const { inputs, used, isKept, problems } = matcher;
  if (isKept(tensor.name) || !isFloat(tensor.dtype)) {
    const sources = inputs.headers.map((_, slot) => (slot === inputs.reference ? tensor : undefined));
    return { tensor, action: "copy", sources, inputs };
  }
  const sources = inputs.headers.map((header, index) => {
    if (header === undefined || !used.has(index)) return undefined;
    const { slot, checkpoint } = header;
    if (slot.kind === "companion")
      return companionSource(
        { headers: inputs.headers, reference: matcher.reference, problems },
        slot,
        checkpoint,
        tensor,
      );
    const source = resolveTensor(checkpoint, tensor.name);
    if (source !== undefined && isFloat(source.dtype) && !isFloatDType(source.dtype)) {
      problems.add(
        `${checkpoint.root}: %: ${source.dtype} values cannot be merged (convert the model to bfloat16 or float32)`,
        tensor.name,
      );
    }
    return source;
  });
  return { tensor, action: "merge", sources, inputs };
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
