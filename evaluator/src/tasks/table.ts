/** Rows of a data file, by the names of their columns: JSON Lines, or CSV with a header (RFC 4180). */

import { CsvError, parse } from "csv-parse/sync";
import { messageOf } from "../errors.ts";

export interface Row {
  readonly values: Readonly<Record<string, unknown>>;
  /** Line in the file on which it begins, from 1. */
  readonly line: number;
}

/** Called with the line and what is wrong with it; line 0 is the whole file. */
export type Wrong = (line: number, problem: string) => void;

/** Rows in the order of the file, by its ending; `wrong` hears of each that is none. */
export function readRows(path: string, bytes: Uint8Array, wrong: Wrong): Row[] {
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch (error) {
    wrong(0, `is not UTF-8 text (${messageOf(error)})`);
    return [];
  }
  return /\.csv$/i.test(path) ? csvRows(text, wrong) : jsonRows(text, wrong);
}

function jsonRows(text: string, wrong: Wrong): Row[] {
  return text.split("\n").flatMap((line, index) => {
    if (line.trim() === "") return [];
    try {
      const values: unknown = JSON.parse(line);
      if (typeof values === "object" && values !== null && !Array.isArray(values)) {
        return [{ values: values as Row["values"], line: index + 1 }];
      }
      wrong(index + 1, "is not a JSON object");
    } catch (error) {
      wrong(index + 1, `is not JSON (${messageOf(error)})`);
    }
    return [];
  });
}

const lineEnd = 0x0a;

function csvRows(text: string, wrong: Wrong): Row[] {
  let records: { readonly record: string[]; readonly info: { readonly bytes: number } }[];
  try {
    records = parse(text, { info: true, skip_empty_lines: true }) as unknown as typeof records;
  } catch (error) {
    if (!(error instanceof CsvError)) throw error;
    wrong(typeof error["lines"] === "number" ? error["lines"] : 0, `is not CSV (${error.message})`);
    return [];
  }
  const [header, ...rows] = records;
  if (header === undefined) return [];
  const twice = header.record.find((name, index) => header.record.indexOf(name) !== index);
  if (twice !== undefined) {
    wrong(1, `names the column "${twice}" twice`);
    return [];
  }
  const encoded = Buffer.from(text);
  let counted = 0;
  let ends = 0;
  return rows.map(({ record, info }) => {
    for (; counted < info.bytes; counted++) ends += encoded[counted] === lineEnd ? 1 : 0;
    // A record begins before the line ends that it has itself: those in its fields, and its last.
    const own = record.join("").split("\n").length - 1 + (encoded[info.bytes - 1] === lineEnd ? 1 : 0);
    return {
      values: Object.fromEntries(header.record.map((name, column) => [name, record[column]!])),
      line: ends - own + 1,
    };
  });
}
