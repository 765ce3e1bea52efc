/**
 * Resizes images as Pillow does, to the bit, since that is what image processors were trained behind: each output pixel is a weighted mean
 * of the input under a filter that widens when the image shrinks, columns before rows, in fixed point with a rounding to 8 bits after each.
 */

import type { Raster } from "./raster.ts";

interface Filter {
  /** Half of its width where the image does not shrink, in input pixels. */
  readonly support: number;
  readonly weight: (x: number) => number;
}

const sinc = (x: number): number => (x === 0 ? 1 : Math.sin(Math.PI * x) / (Math.PI * x));

/** Cubic convolution (Keys, 1981) with this slope at 1. */
const slope = -0.5;

export type Resampling = "nearest" | "box" | "bilinear" | "hamming" | "bicubic" | "lanczos";

const filters: Record<Exclude<Resampling, "nearest">, Filter> = {
  box: { support: 0.5, weight: (x: number) => (x > -0.5 && x <= 0.5 ? 1 : 0) },
  bilinear: { support: 1, weight: (x: number) => Math.max(0, 1 - Math.abs(x)) },
  hamming: {
    support: 1,
    weight: (x: number) => (Math.abs(x) >= 1 ? 0 : sinc(x) * (0.54 + 0.46 * Math.cos(Math.PI * x))),
  },
  bicubic: {
    support: 2,
    weight(x: number) {
      const d = Math.abs(x);
      if (d < 1) return ((slope + 2) * d - (slope + 3)) * d * d + 1;
      return d < 2 ? (((d - 5) * d + 8) * d - 4) * slope : 0;
    },
  },
  lanczos: { support: 3, weight: (x: number) => (x >= -3 && x < 3 ? sinc(x) * sinc(x / 3) : 0) },
};

/** @returns the same image where it has that size already */
export function resize(image: Raster, width: number, height: number, resampling: Resampling): Raster {
  if (image.width === width && image.height === height) return image;
  if (resampling === "nearest") return nearest(image, width, height);
  const filter = filters[resampling];
  const wide = image.width === width ? image : alongRows(image, width, filter);
  return wide.height === height ? wide : alongColumns(wide, height, filter);
}

/** The pixel whose area the output pixel's centre falls into. */
function nearest({ width: from, height: rows, channels, data }: Raster, width: number, height: number): Raster {
  const out = new Uint8Array(width * height * channels);
  const columns = centres(from, width);
  for (const [y, row] of centres(rows, height).entries()) {
    for (const [x, column] of columns.entries()) {
      for (let c = 0; c < channels; c++) {
        out[(y * width + x) * channels + c] = data[(row * from + column) * channels + c]!;
      }
    }
  }
  return { width, height, channels, data: out };
}

/** Sums up as Pillow does, rounding included: a centre that falls on an edge goes to the same side. */
function centres(from: number, to: number): number[] {
  let centre = 0.5 * (from / to);
  return Array.from({ length: to }, () => {
    const pixel = Math.min(from - 1, Math.trunc(centre));
    centre += from / to;
    return pixel;
  });
}

/** The inputs that an output pixel is made of, and what each counts. */
interface Taps {
  readonly first: number;
  /** In units of 2^-22. */
  readonly weights: Int32Array;
}

/** Leaves 8 bits for the value and 2 for weights beyond 1 in 32-bit sums. */
const fractionBits = 22;
const half = 2 ** (fractionBits - 1);

function tapsOf(from: number, to: number, { support, weight }: Filter): Taps[] {
  const scale = from / to;
  const stretch = Math.max(1, scale);
  const reach = support * stretch;
  return Array.from({ length: to }, (_, i) => {
    const centre = (i + 0.5) * scale;
    const first = Math.max(0, Math.trunc(centre - reach + 0.5));
    const end = Math.min(from, Math.trunc(centre + reach + 0.5));
    const raw = Array.from({ length: end - first }, (_, k) => weight((k + first - centre + 0.5) * (1 / stretch)));
    const sum = raw.reduce((total, each) => total + each, 0);
    const fixed = raw.map((each) => {
      const share = (sum === 0 ? each : each * (1 / sum)) * 2 ** fractionBits;
      return Math.trunc(share < 0 ? share - 0.5 : share + 0.5);
    });
    return { first, weights: Int32Array.from(fixed) };
  });
}

function alongRows({ width: from, height, channels, data }: Raster, width: number, filter: Filter): Raster {
  const out = new Uint8ClampedArray(width * height * channels);
  const taps = tapsOf(from, width, filter);
  let at = 0;
  for (let y = 0; y < height; y++) {
    for (const { first, weights } of taps) {
      const start = (y * from + first) * channels;
      for (let c = 0; c < channels; c++) {
        let sum = half;
        for (let k = 0; k < weights.length; k++) sum += data[start + k * channels + c]! * weights[k]!;
        out[at++] = sum >> fractionBits;
      }
    }
  }
  return { width, height, channels, data: new Uint8Array(out.buffer) };
}

function alongColumns({ width, height: from, channels, data }: Raster, height: number, filter: Filter): Raster {
  const row = width * channels;
  const out = new Uint8ClampedArray(row * height);
  let at = 0;
  for (const { first, weights } of tapsOf(from, height, filter)) {
    const start = first * row;
    for (let x = 0; x < row; x++) {
      let sum = half;
      for (let k = 0; k < weights.length; k++) sum += data[start + k * row + x]! * weights[k]!;
      out[at++] = sum >> fractionBits;
    }
  }
  return { width, height, channels, data: new Uint8Array(out.buffer) };
}
