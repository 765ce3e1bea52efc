// Which rows a derived matrix is made of: runs of rows that come from one place, as a flat list of numbers small enough for a message.
// A run is encoded as its number of rows, twice its number of terms (plus one where each row has the same terms), and for each
// term the source and its row there.

/** A row of a source; in a run that is not constant, of the run's first row, from which the others count on. */
export interface RowTerm {
  /** Index into the derivation's sources. */
  readonly source: number;
  readonly row: number;
}

/** Rows that are each the mean of their terms: zero without any, a copy with one. */
export interface RowRun {
  readonly rows: number;
  readonly terms: readonly RowTerm[];
  /** Every row has the same terms. */
  readonly constant: boolean;
}

/** Encoded runs. */
export type RowRuns = ArrayLike<number>;

export function* readRuns(runs: RowRuns): Generator<RowRun> {
  for (let at = 0; at < runs.length; ) {
    const rows = runs[at] ?? 0;
    const head = runs[at + 1] ?? 0;
    const terms: RowTerm[] = [];
    at += 2;
    for (let left = head >> 1; left > 0; left--, at += 2) terms.push({ source: runs[at] ?? 0, row: runs[at + 1] ?? 0 });
    yield { rows, terms, constant: (head & 1) === 1 };
  }
}

/** Joins rows into runs. */
export class RunBuilder {
  readonly #runs: number[] = [];
  /** Where the last run begins, and whether the next row may extend it. */
  #last = 0;
  #open = false;

  /** Appends rows from the one of `row` on. */
  copy(source: number, row: number, rows = 1): void {
    const [last, runs] = [this.#last, this.#runs];
    const follows =
      this.#open && runs[last + 1] === 2 && runs[last + 2] === source && runs[last + 3] === row - (runs[last] ?? 0);
    if (follows) runs[last] = (runs[last] ?? 0) + rows;
    else this.append({ rows, terms: [{ source, row }], constant: false });
  }

  zero(rows = 1): void {
    if (this.#open && this.#runs[this.#last + 1] === 0) this.#runs[this.#last] = (this.#runs[this.#last] ?? 0) + rows;
    else this.append({ rows, terms: [], constant: false });
  }

  append({ rows, terms, constant }: RowRun): void {
    if (rows === 0) return;
    this.#last = this.#runs.length;
    this.#open = true;
    this.#runs.push(rows, 2 * terms.length + (constant ? 1 : 0));
    for (const { source, row } of terms) this.#runs.push(source, row);
  }

  finish(): Uint32Array {
    return Uint32Array.from(this.#runs);
  }
}

/** The runs of `count` rows from `first` on. */
export function cutRuns(runs: RowRuns, first: number, count: number): Uint32Array {
  const cut = new RunBuilder();
  let row = 0;
  for (const run of readRuns(runs)) {
    const from = Math.max(first, row);
    const rows = Math.min(first + count, row + run.rows) - from;
    if (rows > 0) {
      const skipped = run.constant ? 0 : from - row;
      cut.append({ ...run, rows, terms: run.terms.map((term) => ({ ...term, row: term.row + skipped })) });
    }
    row += run.rows;
    if (row >= first + count) break;
  }
  return cut.finish();
}
