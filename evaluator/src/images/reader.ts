/** Images of a task as a model reads them: decoded and prepared once, several at a time, and kept as bytes. */

import { EvaluatorError } from "../errors.ts";
import type { BuiltModel } from "../graph/families/family.ts";
import { decodeImage } from "./decode.ts";
import { createImageProcessor, type ImageProcessor } from "./processor.ts";
import { type Raster, withChannels } from "./raster.ts";

/** One image as a model reads it. */
export interface ImageEncoding {
  /** `[channels, height, width]`, not yet scaled. */
  readonly pixels: Uint8Array;
  /** What scales them; the same object for all images of a model. */
  readonly processor: ImageProcessor;
  /** How many tokens the model makes of it. */
  readonly tokens: number;
}

/** An image of a task. */
export interface ImageItem {
  /** The bytes of an image file, or pixels. */
  readonly image: Uint8Array | Raster;
  /** Where it comes from, for messages. */
  readonly place: string;
}

export interface ImageReader {
  /** @throws EvaluatorError for the first image that cannot be read or has not the size that the model takes, and for more than memory is meant to hold. */
  read(items: readonly ImageItem[]): Promise<ImageEncoding[]>;
}

/** What the prepared images of a split may take: 28,000 of 224 x 224 in colours. */
const maxPixelBytes = 2 ** 32;

/** Images decoded at the same time, by the library's threads. */
const atOnce = 4;

/**
 * @param preprocessor the parsed `preprocessor_config.json`
 * @throws EvaluatorError for a processor that is not known, or that does not fit the model
 */
export function createImageReader(preprocessor: unknown, image: NonNullable<BuiltModel["image"]>): ImageReader {
  const processor = createImageProcessor(preprocessor, image);
  const encode = async ({ image: source, place }: ImageItem): Promise<ImageEncoding> => {
    const raster = source instanceof Uint8Array ? await decodeImage(source, place) : source;
    const pixels = processor.pixels(withChannels(raster, image.channels), place);
    return { pixels, processor, tokens: image.tokens };
  };
  return {
    async read(items) {
      const bytes = items.length * image.channels * image.height * image.width;
      if (bytes > maxPixelBytes) {
        const most = Math.floor((maxPixelBytes / bytes) * items.length);
        throw new EvaluatorError(
          `${items[0]!.place} and ${items.length - 1} others: too many images to keep in memory: keep at most ${most} in a split`,
        );
      }
      const encodings: ImageEncoding[] = [];
      for (let first = 0; first < items.length; first += atOnce) {
        encodings.push(...(await Promise.all(items.slice(first, first + atOnce).map(encode))));
      }
      return encodings;
    },
  };
}
