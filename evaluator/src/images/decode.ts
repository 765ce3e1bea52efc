/** Image files to pixels. Files are from somewhere else: only plain raster formats are opened, and only as many pixels as a photograph has. */

import { EvaluatorError, messageOf } from "../errors.ts";
import type { Raster } from "./raster.ts";

/** What the library may load; its other formats reach further (SVG draws text, PDF and others start programs' worth of code). */
const loaders = [
  "VipsForeignLoadJpegBuffer",
  "VipsForeignLoadPngBuffer",
  "VipsForeignLoadWebpBuffer",
  "VipsForeignLoadNsgifBuffer",
];

/** 64 million pixels, 192 MB decoded: a small file may claim any size. */
const maxPixels = 2 ** 26;

type Sharp = typeof import("sharp").default;
let library: Promise<Sharp> | undefined;

/** Loaded when the first image is: text tasks have no use for 19 MB. */
async function load(): Promise<Sharp> {
  const { default: sharp } = await import("sharp");
  sharp.block({ operation: ["VipsForeignLoad"] });
  sharp.unblock({ operation: loaders });
  // Files are read once each; the threads are needed elsewhere.
  sharp.cache(false);
  sharp.concurrency(1);
  return sharp;
}

/**
 * Decodes the first frame of a JPEG, PNG, WebP or GIF file, turned as its metadata says, without transparency or colour management: the
 * values that Pillow gives for `RGB`.
 * @param place where the bytes come from, for messages
 * @throws EvaluatorError for bytes that are no such image, are cut short, or have more than 64 million pixels
 */
export async function decodeImage(bytes: Uint8Array, place: string): Promise<Raster> {
  library ??= load();
  const sharp = await library;
  try {
    const image = sharp(bytes, { limitInputPixels: maxPixels, failOn: "truncated", ignoreIcc: true, autoOrient: true });
    const { data, info } = await image.removeAlpha().raw().toBuffer({ resolveWithObject: true });
    return { width: info.width, height: info.height, channels: info.channels, data };
  } catch (error) {
    throw new EvaluatorError(`${place}: cannot be read as a JPEG, PNG, WebP or GIF image (${messageOf(error)})`);
  }
}
