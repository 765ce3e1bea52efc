/**
 * The vocabulary of the merged model: from the tokenizers of the models and what the recipe says of tokens to the rows that each model's
 * embeddings have in the merge. Reads nothing; `tokenizer-files.ts` reads and writes the files.
 */
import {
  type Checkpoint,
  CheckpointError,
  type ModelRows,
  planRows,
  problemsOf,
  type RowPlan,
  type Tokenizer,
  type TokenRule,
  type UnitedTokenizer,
  uniteTokenizers,
  type VocabularyOfModel,
  vocabularyTensors,
  withVocabulary,
} from "@amalgam/checkpoint";
import type { Recipe, TokenizerSection, TokenSourceRecipe } from "../recipe/index.ts";
import type { SlotHeader } from "./types.ts";

/** A model of the merge, or one that only gives its tokenizer. */
export interface TokenizerDonor {
  /** As the recipe writes it. */
  readonly path: string;
  readonly checkpoint: Checkpoint;
  readonly tokenizer: Tokenizer;
}

export interface Vocabulary {
  readonly united: UnitedTokenizer;
  /** Rows of the merged embeddings. */
  readonly rows: number;
  /** The headers with embeddings of that many rows. */
  readonly headers: readonly SlotHeader[];
  /** What decides the rows, for digests. */
  readonly runs: readonly Uint32Array[];
  readonly notes: readonly string[];
}

/**
 * @param models the base and the models, in the order of their slots
 * @param source the tokenizer that comes first
 * @throws CheckpointError or CheckpointProblems where tokenizers, embeddings and recipe do not fit together
 */
export function planVocabulary(
  recipe: Recipe,
  section: TokenizerSection,
  headers: readonly SlotHeader[],
  models: readonly TokenizerDonor[],
  source: TokenizerDonor,
): Vocabulary {
  const vocabularies = models.map(({ checkpoint, tokenizer }): VocabularyOfModel => {
    return { ids: tokenizer.ids, rows: vocabularyTensors(checkpoint).rows };
  });
  const named = ({ path, checkpoint, tokenizer }: TokenizerDonor) => {
    return { name: path, tokenizer, rows: vocabularyTensors(checkpoint).rows };
  };
  const others = section.source.kind === "union" ? models.filter((model) => model !== source) : [];
  const united = uniteTokenizers(named(source), others.map(named), [...section.tokens.keys()]);
  const multiple = section.padToMultipleOf ?? 1;
  const rows = Math.ceil(united.size / multiple) * multiple;
  const base = models.findIndex(({ path }) => path === recipe.base);
  const plan: RowPlan = {
    ids: united.ids,
    size: united.size,
    rows,
    models: vocabularies,
    base: base < 0 ? undefined : base,
    rules: tokenRules(section, models, vocabularies),
  };
  const planned = planRows(plan);
  const checkpoints = models.map(({ checkpoint }) => checkpoint);
  const changed = headers.map((header): SlotHeader => {
    const { slot, checkpoint } = header;
    if (slot.companion === undefined) {
      const index = checkpoints.indexOf(checkpoint);
      return { slot, checkpoint: withVocabulary(checkpoints, index, planned[index] as ModelRows, rows) };
    }
    const model = models.findIndex(({ path }) => path === slot.companion?.modelPath);
    return companionWithVocabulary(header, { ...plan, models: [vocabularies[model] as VocabularyOfModel] });
  });
  return {
    united,
    rows,
    headers: changed,
    runs: planned.map(({ runs }) => runs),
    notes: notesOf(plan, united, models),
  };
}

/** A companion has what its model knows of a token's row: nothing, where the row comes from another model. */
function companionWithVocabulary({ slot, checkpoint }: SlotHeader, plan: RowPlan): SlotHeader {
  const [rows] = planRows({ ...plan, base: undefined, rules: new Map() });
  try {
    return { slot, checkpoint: withVocabulary([checkpoint], 0, rows as ModelRows, plan.rows) };
  } catch (error) {
    // One without embeddings is told by the matcher, if they are needed.
    problemsOf(error);
    return { slot, checkpoint };
  }
}

function tokenRules(
  { tokens }: TokenizerSection,
  models: readonly TokenizerDonor[],
  vocabularies: readonly VocabularyOfModel[],
): Map<string, TokenRule> {
  const rules = new Map<string, TokenRule>();
  for (const [token, { source, force }] of tokens) {
    if (source === undefined) continue;
    if (source.kind === "zero") rules.set(token, { term: undefined, force });
    else {
      const model = models.findIndex(({ path }) => path === source.model);
      rules.set(token, { term: { source: model, row: rowOf(token, source, vocabularies[model]) }, force });
    }
  }
  return rules;
}

function rowOf(
  token: string,
  source: Exclude<TokenSourceRecipe, { kind: "zero" }>,
  vocabulary: VocabularyOfModel | undefined,
): number {
  const fail = (rule: string, hint: string): never => {
    throw new CheckpointError({ file: source.model, rule: `token ${JSON.stringify(token)}: ${rule}`, hint });
  };
  if (vocabulary === undefined) {
    return fail("its row is to come from this model, which is not merged", "name the base or one of the models");
  }
  const wanted = source.kind === "token" ? source.token : token;
  const id = source.kind === "id" ? source.id : vocabulary.ids.get(wanted);
  if (id === undefined) return fail(`the model has no token ${JSON.stringify(wanted)}`, "name one that it has");
  if (id < vocabulary.rows) return id;
  return fail(`row ${id} of an embedding with ${vocabulary.rows} rows`, "name a token that has a row");
}

function notesOf(
  { rows, size, models: vocabularies }: RowPlan,
  united: UnitedTokenizer,
  models: readonly TokenizerDonor[],
) {
  const notes = [
    `the merged vocabulary has ${size} tokens, ${united.more.length} of them behind the first tokenizer's`,
  ];
  const { dropped } = united;
  if (dropped.length > 0) {
    const few = dropped.slice(0, 5).map((token) => JSON.stringify(token));
    notes.push(`${dropped.length} tokens without a row in the embedding are left out: ${few.join(", ")}`);
  }
  for (const [index, { path }] of models.entries()) {
    const { ids, rows: own } = vocabularies[index] as VocabularyOfModel;
    let end = 0;
    for (const id of ids.values()) if (id < own) end = Math.max(end, id + 1);
    if (end < own && rows !== own)
      notes.push(`${path}: ${own - end} rows behind its last token belong to no token and are left out`);
  }
  return notes;
}
