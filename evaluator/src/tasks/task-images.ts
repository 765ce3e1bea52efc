/** The images of a task: listed in a table, in a folder with one for each label, or in the pair of IDX files that MNIST and its like come as. */

import { posix } from "node:path";
import { gunzipSync } from "node:zlib";
import { messageOf } from "../errors.ts";
import type { ImageItem } from "../images/reader.ts";
import { suggestion } from "../nearest.ts";
import { examplesOf, labelOf, RowProblem, textOf } from "./task-data.ts";
import type { ImageClassificationHeader, ImagePath } from "./task-header.ts";

/** An image with its label. */
export interface ImageExample extends ImageItem {
  /** Index among the task's labels. */
  readonly label: number;
}

type Files = ReadonlyMap<string, Uint8Array>;

/** The examples of a split, adding a problem for each that is none; undefined where the files do not have what the split names. */
export function imageSplit(
  data: ImagePath,
  header: ImageClassificationHeader,
  files: Files,
  problems: string[],
): readonly ImageExample[] | undefined {
  if (typeof data === "object") {
    const [pixels, indexes] = [files.get(data.images), files.get(data.labels)];
    if (pixels === undefined || indexes === undefined) return undefined;
    const pair = [
      { path: data.images, bytes: pixels },
      { path: data.labels, bytes: indexes },
    ] as const;
    return idxExamples(...pair, header.labels, problems);
  }
  const table = files.get(data);
  if (table !== undefined) return tableExamples({ path: data, bytes: table }, header, files, problems);
  const inside = posix.normalize(`${data}/`);
  if (!files.keys().some((name) => name.startsWith(inside))) return undefined;
  return folderExamples(data, files, header.labels, problems);
}

/** Rows with the columns `image` and `label`. */
function tableExamples(
  { path, bytes }: DataFile,
  { images, labels }: ImageClassificationHeader,
  files: Files,
  problems: string[],
): ImageExample[] {
  return examplesOf(
    path,
    bytes,
    (row) => {
      const name = textOf(row, "image");
      const image = images === undefined ? undefined : files.get(posix.join(images, name));
      if (image === undefined) {
        throw new RowProblem(`image: there is no ${name} in the folder that the task names as \`images\``);
      }
      return { image, label: labelOf(row, "label", labels), place: `${path}:${row.line}` };
    },
    problems,
  );
}

/** One wrong folder makes every image in it wrong: the first problems say it all. */
const problemsShown = 10;

/** `FOLDER/LABEL/.../image.png`, in the order of the paths; adds a problem for each folder that is named as no label. */
function folderExamples(folder: string, files: Files, labels: readonly string[], problems: string[]): ImageExample[] {
  const indexes = new Map(labels.map((label, index) => [label, index]));
  const prefix = `${posix.normalize(`${folder}/`)}`;
  const unknown = new Set<string>();
  const examples: ImageExample[] = [];
  for (const [place, image] of files) {
    if (!place.startsWith(prefix)) continue;
    const parts = place.slice(prefix.length).split("/");
    const name = parts.length > 1 ? parts[0]! : "";
    const label = indexes.get(name);
    if (label !== undefined) examples.push({ image, label, place });
    else unknown.add(name);
  }
  for (const name of [...unknown].slice(0, problemsShown)) {
    const is = name === "" ? "has images that lie in no label's folder" : `${name} is named as no label`;
    problems.push(`${folder}: ${is}${suggestion(name, labels)}`);
  }
  if (unknown.size > problemsShown) problems.push(`${folder}: ... and ${unknown.size - problemsShown} more folders`);
  return examples;
}

interface DataFile {
  readonly path: string;
  readonly bytes: Uint8Array;
}

/** The images and labels of two IDX files, plain or gzipped; labels are indexes among the task's. Adds a problem for files that are none, or do not fit. */
function idxExamples(images: DataFile, labels: DataFile, names: readonly string[], problems: string[]): ImageExample[] {
  const [pixels, indexes] = [readIdx(images, 3, problems), readIdx(labels, 1, problems)];
  if (pixels === undefined || indexes === undefined) return [];
  const [count, height, width] = pixels.dims as [number, number, number];
  if (indexes.dims[0] !== count) {
    problems.push(`${labels.path}: has ${indexes.dims[0]} labels for the ${count} images of ${images.path}`);
    return [];
  }
  const beyond = indexes.data.findIndex((label) => label >= names.length);
  if (beyond !== -1) {
    problems.push(`${labels.path}: item ${beyond} has label ${indexes.data[beyond]}, but the task has ${names.length}`);
    return [];
  }
  const area = height * width;
  return Array.from({ length: count }, (_, item) => ({
    image: { height, width, channels: 1, data: pixels.data.subarray(item * area, (item + 1) * area) },
    label: indexes.data[item]!,
    place: `${images.path}: item ${item}`,
  }));
}

interface Idx {
  readonly dims: readonly number[];
  readonly data: Uint8Array;
}

/** What a gzipped file may grow to: 250 times MNIST. */
const maxIdxBytes = 2 ** 30;

/** http://yann.lecun.com/exdb/mnist: two zeros, the type (8: unsigned bytes), the number of dimensions, each as a big-endian 32-bit integer, the values. */
function readIdx({ path, bytes }: DataFile, rank: number, problems: string[]): Idx | undefined {
  let plain = bytes;
  if (bytes[0] === 0x1f && bytes[1] === 0x8b) {
    try {
      plain = gunzipSync(bytes, { maxOutputLength: maxIdxBytes });
    } catch (error) {
      problems.push(`${path}: cannot be unpacked (${messageOf(error)})`);
      return undefined;
    }
  }
  const header = 4 + 4 * rank;
  const view = new DataView(plain.buffer, plain.byteOffset, plain.byteLength);
  if (plain.length < header || view.getUint32(0) !== 0x800 + rank) {
    problems.push(`${path}: is no IDX file of bytes with ${rank} dimension${rank === 1 ? "" : "s"}`);
    return undefined;
  }
  const dims = Array.from({ length: rank }, (_, axis) => view.getUint32(4 + 4 * axis));
  const size = dims.reduce((product, dim) => product * dim, 1);
  if (plain.length - header !== size || size === 0) {
    problems.push(`${path}: has ${plain.length - header} values, but its header says ${dims.join(" x ")}`);
    return undefined;
  }
  return { dims, data: plain.subarray(header) };
}
