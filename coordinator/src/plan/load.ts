/** The planner's one door to disks and servers: opens what a recipe names, and gathers every problem on the way. */
import {
  type Checkpoint,
  CheckpointError,
  fileInLocation,
  isRemote,
  openAdapter,
  openCheckpoint,
  problemsOf,
  resolveReference,
  unprefixedMasks,
  withAdapter,
} from "@amalgam/checkpoint";
import { type Pins, pinned, type Recipe, splitReference, studyDimensions } from "../recipe/index.ts";
import { estimateTasks } from "./estimate-tasks.ts";
import { givenHeader, withGiven } from "./given.ts";
import { type OwnGraph, readGraph } from "./own-graph.ts";
import { PlanProblems } from "./problems.ts";
import { searchTaskProblems } from "./search-tasks.ts";
import { companionFile, slotsOf } from "./slots.ts";
import { readTasks, type TaskInput } from "./tasks.ts";
import { withTokenizer } from "./tokenizer-files.ts";
import type { OutputTokenizer, Slot, SlotHeader } from "./types.ts";
import { type EarlierSearch, readWarmStart, warmStartProblem } from "./warm-start.ts";

export interface PlanInputs {
  /** In the order of `slotsOf(recipe)`, as `planJob` wants them. */
  readonly headers: readonly SlotHeader[];
  /** In the order of the recipe; empty without an evaluate section. */
  readonly tasks: readonly TaskInput[];
  /** What runs the models in place of the graph that their config describes. */
  readonly graph?: OwnGraph;
  readonly tokenizer?: OutputTokenizer;
  /** What the search starts from, where the recipe names an earlier one. */
  readonly earlier?: EarlierSearch;
}

/** Models that other stages of the recipe make, by name: where they are, or what they will be. */
export type StageModels = ReadonlyMap<string, string | Checkpoint>;

export interface LoadOptions {
  /** What references meant when the job began; they mean the same to its end. */
  readonly pins?: Pins | undefined;
  readonly stages?: StageModels | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Opens the headers of all slots and reads the tasks. Relative paths start from `baseDirectory`, the recipe's folder.
 * Throws PlanProblems with everything that is missing or broken; tensor data is not read.
 */
export async function loadPlanInputs(
  recipe: Recipe,
  baseDirectory: string,
  { pins = {}, stages = new Map(), signal }: LoadOptions = {},
): Promise<PlanInputs> {
  const problems: string[] = [];
  let unreachable = 0;
  const headers: SlotHeader[] = [];
  // Models that share a base share its files.
  const opened = new Map<string, Promise<Checkpoint>>();
  const open = (path: string): Promise<Checkpoint> => {
    const opening = opened.get(path) ?? openCheckpoint(path, { signal });
    opened.set(path, opening);
    return opening;
  };
  for (const slot of slotsOf(recipe)) {
    if (slot.given) {
      headers.push(givenHeader(slot, headers));
      continue;
    }
    try {
      headers.push({ slot, checkpoint: await openSlot(slot, headers, { baseDirectory, pins, stages, open, signal }) });
    } catch (error) {
      signal?.throwIfAborted();
      const found = problemsOf(error);
      unreachable += found.filter(({ code }) => code === "unavailable").length;
      problems.push(...found.map(({ message }) => `${slot.name}: ${message}`));
    }
  }
  const { evaluate, search } = recipe;
  const tasks = evaluate === undefined ? [] : await readTasks(evaluate, baseDirectory, problems);
  const graph = evaluate && (await readGraph(evaluate, baseDirectory, problems));
  if (search !== undefined && tasks.length === evaluate?.tasks.length) {
    problems.push(...searchTaskProblems(search, tasks));
  }
  if (tasks.length > 0 && tasks.length === evaluate?.tasks.length)
    problems.push(...estimateTasks(recipe, tasks).problems);
  const earlier = await earlierSearch(recipe, baseDirectory, tasks, problems);
  // A network that is down says nothing of the recipe, and costs a job that goes on nothing of what it has.
  if (problems.length > 0) {
    throw new PlanProblems(problems, unreachable === problems.length ? "unavailable" : "invalid_argument");
  }
  try {
    const written = await withTokenizer(recipe, headers, { baseDirectory, pins }, signal);
    return {
      tasks,
      ...(graph && { graph }),
      ...(earlier && { earlier }),
      ...written,
      headers: withGiven(written.headers),
    };
  } catch (error) {
    signal?.throwIfAborted();
    throw new PlanProblems(problemsOf(error).map(({ message }) => `tokenizer: ${message}`));
  }
}

async function earlierSearch(
  recipe: Recipe,
  baseDirectory: string,
  tasks: readonly TaskInput[],
  problems: string[],
): Promise<EarlierSearch | undefined> {
  const reference = recipe.search?.warmStart;
  // Tasks that could not be read were told: nothing can be said of scores on them.
  if (reference === undefined || tasks.length !== recipe.evaluate?.tasks.length) return undefined;
  try {
    const metrics = tasks.map(({ name }) => name);
    return await readWarmStart(reference, baseDirectory, { dimensions: studyDimensions(recipe), metrics });
  } catch (error) {
    problems.push(warmStartProblem(reference, error));
    return undefined;
  }
}

interface Opening {
  readonly baseDirectory: string;
  readonly pins: Pins;
  readonly stages: StageModels;
  readonly open: (location: string) => Promise<Checkpoint>;
  readonly signal: AbortSignal | undefined;
}

async function openSlot(slot: Slot, earlier: readonly SlotHeader[], opening: Opening): Promise<Checkpoint> {
  const { baseDirectory, pins, stages, open, signal } = opening;
  if (slot.companion !== undefined) {
    const location = await companionLocation(slot, earlier, opening);
    const checkpoint = await open(location).catch((error: unknown) => {
      throw missing(slot, slot.path, location, error) ?? error;
    });
    return slot.companion.kind === "masks" ? unprefixedMasks(checkpoint) : checkpoint;
  }
  const { base, adapter } = splitReference(pinned(pins, slot.path));
  const reach = async <T>(reference: string, use: (location: string) => Promise<T>): Promise<T> => {
    const stage = stages.get(reference);
    const location = typeof stage === "string" ? stage : await resolveReference(reference, baseDirectory);
    return use(location).catch((error: unknown) => {
      throw missing(slot, reference, location, error) ?? error;
    });
  };
  const planned = stages.get(base);
  const checkpoint = planned === undefined || typeof planned === "string" ? await reach(base, open) : planned;
  if (adapter === undefined) return checkpoint;
  return withAdapter(checkpoint, await reach(adapter, (location) => openAdapter(location, { signal })));
}

/** A companion that is not named lies in the folder where its model was found. */
function companionLocation(
  { path, named, companion }: Slot,
  earlier: readonly SlotHeader[],
  { baseDirectory, pins }: Opening,
): Promise<string> | string {
  const model = earlier.find(({ slot }) => slot.kind !== "companion" && slot.path === companion?.modelPath);
  if (named || companion === undefined || model === undefined)
    return resolveReference(pinned(pins, path), baseDirectory);
  const { root, adapter } = model.checkpoint;
  return fileInLocation(adapter ?? root, companionFile(companion.kind));
}

/** What the user can do about an input that is not there. */
function missing(
  { companion, named }: Slot,
  reference: string,
  location: string,
  cause: unknown,
): CheckpointError | undefined {
  if (!(cause instanceof CheckpointError) || cause.file !== location) return undefined;
  if (!["ENOENT", "ENOTDIR", "not_found", "unavailable"].includes(cause.code)) return undefined;
  if (companion !== undefined && !named) {
    const hint = `name the file with \`${companion.kind}:\` beside \`model:\``;
    return new CheckpointError({ file: location, rule: "does not exist, and the merge needs it", hint });
  }
  if (!isRemote(location)) {
    const rule = companion === undefined ? "does not exist" : "does not exist, and the merge needs it";
    const hint = "paths are relative to the recipe; a model of the Hub is written org/name";
    return new CheckpointError({ file: location, rule, hint });
  }
  // `org/name` may have been meant as a path.
  if (isRemote(reference)) return undefined;
  const rule = `${cause.rule}, and no folder ${reference} is beside the recipe`;
  const { hint } = cause;
  return new CheckpointError({ file: location, rule, cause, ...(hint === undefined ? {} : { hint }) });
}
