// Which row of which model each token of a merged vocabulary takes, for one model of the merge at a time. The rules are mergekit's:
// a model keeps its own row of a token; where it has none it takes what the recipe says, else the only model's that has one, else the
// base's, else the mean of all that have one, else zeros. In one pass over the tokens.
import { type RowTerm, RunBuilder } from "../row-runs.ts";

/** Where a recipe says that a token's row comes from. */
export interface TokenRule {
  /** Undefined: zeros. `source` is an index into the models, `row` one of its embedding's rows. */
  readonly term: RowTerm | undefined;
  /** Also for models that have a row of their own. */
  readonly force: boolean;
}

export interface VocabularyOfModel {
  readonly ids: ReadonlyMap<string, number>;
  /** Rows of its embedding. */
  readonly rows: number;
}

export interface RowPlan {
  /** The merged vocabulary. */
  readonly ids: ReadonlyMap<string, number>;
  readonly size: number;
  /** Rows of the merged embedding: the vocabulary's, and padding. */
  readonly rows: number;
  readonly models: readonly VocabularyOfModel[];
  /** Index of the base among the models. */
  readonly base: number | undefined;
  readonly rules: ReadonlyMap<string, TokenRule>;
}

/** The rows of one model's embedding in the merged vocabulary. Sources are numbered as the models. */
export interface ModelRows {
  readonly runs: Uint32Array;
  /** Models that rows are taken from. */
  readonly used: ReadonlySet<number>;
  /** Whether some row is the mean of several. */
  readonly averages: boolean;
  /** Whether the runs are the model's own rows as they are. */
  readonly unchanged: boolean;
}

/** Most rows that padding is the mean of. */
const PADDING_SAMPLE = 1024;

/** The rows of every model, in the order of the models. */
export function planRows(plan: RowPlan): ModelRows[] {
  const tokens = new Array<string | undefined>(plan.size).fill(undefined);
  for (const [token, id] of plan.ids) tokens[id] = token;
  const rowOf = ({ ids, rows }: VocabularyOfModel, token: string): number | undefined => {
    const id = ids.get(token);
    return id === undefined || id >= rows ? undefined : id;
  };
  const defaults = tokens.map((token) => (token === undefined ? [] : defaultTerms(plan, token, rowOf)));
  return plan.models.map((model, index) => {
    const terms = tokens.map((token, id): readonly RowTerm[] => {
      const own = token === undefined ? undefined : rowOf(model, token);
      const forced = token !== undefined && plan.rules.get(token)?.force === true;
      return own === undefined || forced ? (defaults[id] ?? []) : [{ source: index, row: own }];
    });
    return modelRows(plan, index, terms);
  });
}

function defaultTerms(
  { models, base, rules }: RowPlan,
  token: string,
  rowOf: (model: VocabularyOfModel, token: string) => number | undefined,
): readonly RowTerm[] {
  const termOf = (source: number): RowTerm[] => {
    const model = models[source];
    const row = model && rowOf(model, token);
    return row === undefined ? [] : [{ source, row }];
  };
  const rule = rules.get(token);
  if (rule !== undefined) return rule.term === undefined ? [] : [rule.term];
  const inBase = base === undefined ? [] : termOf(base);
  return inBase.length > 0 ? inBase : models.flatMap((_, source) => termOf(source));
}

function modelRows({ size, rows, models }: RowPlan, index: number, terms: readonly (readonly RowTerm[])[]): ModelRows {
  const runs = new RunBuilder();
  const used = new Set<number>();
  let averages = false;
  let unchanged = rows === models[index]?.rows;
  for (const [id, row] of terms.entries()) {
    const [only, ...rest] = row;
    if (only === undefined) runs.zero();
    else if (rest.length === 0) runs.copy(only.source, only.row);
    else {
      averages = true;
      runs.append({ rows: 1, terms: row, constant: false });
    }
    for (const { source } of row) used.add(source);
    unchanged &&= only !== undefined && rest.length === 0 && only.source === index && only.row === id;
  }
  if (rows > size) {
    const sample = paddingTerms(terms);
    averages ||= sample.length > 1;
    runs.append({ rows: rows - size, terms: sample, constant: true });
    unchanged = false;
  }
  return { runs: runs.finish(), used, averages, unchanged };
}

/** Evenly spread rows of the vocabulary, whose mean no token's logit is always below. */
function paddingTerms(terms: readonly (readonly RowTerm[])[]): RowTerm[] {
  const count = Math.min(terms.length, PADDING_SAMPLE);
  return Array.from({ length: count }, (_, i) => terms[Math.floor((i * terms.length) / count)] ?? []).flatMap((row) =>
    row.length === 1 ? row : [],
  );
}
