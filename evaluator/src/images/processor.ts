/** Image to pixels as a Hugging Face `preprocessor_config.json` says: resized, cropped to the centre, scaled and normalised. */

import { z } from "zod";
import { EvaluatorError, messageOf } from "../errors.ts";
import { inputNames } from "../graph/families/family.ts";
import type { ImageSizes } from "../graph/vision.ts";
import { float32, type Tensors } from "../session/program.ts";
import type { Raster } from "./raster.ts";
import { type Resampling, resize } from "./resample.ts";

const side = z.number().int().positive();
const rectangle = z.object({ height: side, width: side });
const edge = z.object({ shortest_edge: side });

/** What each class of transformers does where its file is silent. */
const processors = {
  ViT: { resample: 2, square: true, size: 224, crop: false, mean: [0.5, 0.5, 0.5], std: [0.5, 0.5, 0.5] },
  CLIP: {
    resample: 3,
    square: false,
    size: 224,
    crop: true,
    mean: [0.48145466, 0.4578275, 0.40821073],
    std: [0.26862954, 0.26130258, 0.27577711],
  },
} as const;

/** Pillow's numbers. */
const resamplings: readonly Resampling[] = ["nearest", "lanczos", "bilinear", "bicubic", "box", "hamming"];

const perChannel = z.union([z.number(), z.array(z.number()).min(1)]).optional();

const schema = z.object({
  image_processor_type: z.string().optional(),
  feature_extractor_type: z.string().optional(),
  do_resize: z.boolean().default(true),
  size: z.union([side, rectangle, edge]).optional(),
  resample: z.number().int().min(0).max(5).nullish(),
  do_center_crop: z.boolean().nullish(),
  crop_size: z.union([side, rectangle]).nullish(),
  do_rescale: z.boolean().default(true),
  rescale_factor: z.number().default(1 / 255),
  do_normalize: z.boolean().default(true),
  image_mean: perChannel,
  image_std: perChannel,
  do_pad: z.literal(false).nullish(),
});

export interface ImageProcessor {
  readonly image: ImageSizes;
  /**
   * An image's values before they are scaled: `[channels, height, width]`.
   * @throws EvaluatorError when the result has another size than the model takes
   */
  pixels(image: Raster, place: string): Uint8Array;
  /** Images of `pixels` as the model takes them: `[items, channels, height, width]`. */
  feeds(items: readonly Uint8Array[]): Tensors;
}

/** The parsed `preprocessor_config.json` out of its text. @throws EvaluatorError when it is no JSON */
export function parsePreprocessor(json: string | undefined): unknown {
  if (json === undefined) return undefined;
  try {
    return JSON.parse(json);
  } catch (error) {
    throw new EvaluatorError(`preprocessor_config.json: is not JSON (${messageOf(error)})`);
  }
}

/**
 * @param config the parsed `preprocessor_config.json`
 * @param image what the model takes
 * @throws EvaluatorError for a processor that is not known, and for keys that are wrong or do not fit the model
 */
export function createImageProcessor(config: unknown, image: ImageSizes): ImageProcessor {
  const parsed = schema.safeParse(config);
  if (!parsed.success) {
    throw new EvaluatorError(
      parsed.error.issues.map(({ path, message }) => `preprocessor_config.json: ${path.join(".")}: ${message}`),
    );
  }
  const settings = parsed.data;
  const kind = kindOf(settings);
  const { channels } = image;
  const scales = channelScales(settings, kind, channels);
  const crop = (settings.do_center_crop ?? kind.crop) ? (settings.crop_size ?? kind.size) : undefined;
  const size = settings.size ?? kind.size;
  const resampling = resamplings[settings.resample ?? kind.resample]!;

  return {
    image,
    pixels(raster, place) {
      const [height, width] = settings.do_resize ? resizedTo(size, kind.square, raster) : [raster.height, raster.width];
      const resized = resize(raster, width, height, resampling);
      const cropped = crop === undefined ? resized : centreCrop(resized, rectangleOf(crop));
      if (cropped.height !== image.height || cropped.width !== image.width) {
        const [is, wanted] = [`${cropped.height} x ${cropped.width}`, `${image.height} x ${image.width}`];
        throw new EvaluatorError(
          `${place}: has ${is} pixels after preprocessor_config.json, but the model takes ${wanted}`,
        );
      }
      return channelsFirst(cropped);
    },
    feeds(items) {
      const area = image.height * image.width;
      const out = new Float32Array(items.length * channels * area);
      let at = 0;
      for (const pixels of items) {
        for (let c = 0; c < channels; c++) {
          const scale = scales[c]!;
          for (let i = c * area; i < (c + 1) * area; i++) out[at++] = scale[pixels[i]!]!;
        }
      }
      return { [inputNames.pixels]: float32([items.length, channels, image.height, image.width], out) };
    },
  };
}

type Settings = z.infer<typeof schema>;
type Kind = (typeof processors)[keyof typeof processors];

function kindOf({ image_processor_type, feature_extractor_type }: Settings): Kind {
  const name = image_processor_type ?? feature_extractor_type ?? "";
  const kind = /^(ViT|CLIP)(ImageProcessor(Fast|Pil)?|FeatureExtractor)$/.exec(name)?.[1] as keyof typeof processors;
  if (kind !== undefined) return processors[kind];
  const known = Object.keys(processors).map((each) => `${each}ImageProcessor`);
  throw new EvaluatorError(
    `preprocessor_config.json: image_processor_type: ${name || "is missing"}${name && " cannot be run"} (supported: ${known.join(", ")})`,
  );
}

/** For each channel the float32 value of each of the 256 bytes, rounded after every step as numpy rounds. */
function channelScales(settings: Settings, kind: Kind, channels: number): Float32Array[] {
  const { do_rescale, rescale_factor, do_normalize } = settings;
  const spread = (key: "image_mean" | "image_std", fallback: readonly number[]): readonly number[] => {
    const given = settings[key] ?? fallback;
    if (typeof given === "number") return Array.from({ length: channels }, () => given);
    if (given.length === channels) return given;
    throw new EvaluatorError(
      `preprocessor_config.json: ${key}: has ${given.length} values, but the model takes ${channels} channels`,
    );
  };
  const mean = do_normalize ? spread("image_mean", kind.mean) : [];
  const std = do_normalize ? spread("image_std", kind.std) : [];
  return Array.from({ length: channels }, (_, c) =>
    Float32Array.from({ length: 256 }, (_, byte) => {
      const value = Math.fround(do_rescale ? byte * rescale_factor : byte);
      if (!do_normalize) return value;
      return Math.fround(value - Math.fround(mean[c]!)) / Math.fround(std[c]!);
    }),
  );
}

type Size = NonNullable<Settings["size"]>;

function rectangleOf(size: number | z.infer<typeof rectangle>): z.infer<typeof rectangle> {
  return typeof size === "number" ? { height: size, width: size } : size;
}

/** `[height, width]` an image is resized to; one number is a square's side, or the shorter edge's length. */
function resizedTo(size: Size, square: boolean, { height, width }: Raster): [number, number] {
  if (typeof size === "object" && "height" in size) return [size.height, size.width];
  if (typeof size === "number" && square) return [size, size];
  const shorter = typeof size === "number" ? size : size.shortest_edge;
  return width <= height
    ? [Math.trunc((shorter * height) / width), shorter]
    : [shorter, Math.trunc((shorter * width) / height)];
}

/** The middle of an image; beyond its edges there is black. */
function centreCrop(image: Raster, { height, width }: { readonly height: number; readonly width: number }): Raster {
  const { channels, data } = image;
  const top = Math.floor((image.height - height) / 2);
  const left = Math.floor((image.width - width) / 2);
  const out = new Uint8Array(height * width * channels);
  const [first, end] = [Math.max(0, left), Math.min(image.width, left + width)];
  for (let y = Math.max(0, -top); y < Math.min(height, image.height - top); y++) {
    const row = (y + top) * image.width;
    out.set(data.subarray((row + first) * channels, (row + end) * channels), (y * width + first - left) * channels);
  }
  return { height, width, channels, data: out };
}

function channelsFirst({ channels, data }: Raster): Uint8Array {
  if (channels === 1) return data;
  const out = new Uint8Array(data.length);
  let at = 0;
  for (let c = 0; c < channels; c++) {
    for (let i = c; i < data.length; i += channels) out[at++] = data[i]!;
  }
  return out;
}
