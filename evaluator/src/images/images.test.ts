// Pixels as transformers' image processors give them; tests/golden/images/make.py made the numbers.
import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { crc32 } from "node:zlib";
import fc from "fast-check";
import { expect, test } from "vitest";
import { loadWeightsFromCheckpoint } from "../model-directory.ts";
import { float32 } from "../session/program.ts";
import { decodeImage } from "./decode.ts";
import { createImageProcessor } from "./processor.ts";
import { withChannels } from "./raster.ts";
import { createImageReader, type ImageItem } from "./reader.ts";
import { resize } from "./resample.ts";

interface Case {
  readonly image: string;
  readonly config: unknown;
  readonly shape: readonly [channels: number, height: number, width: number];
}

const golden = (file: string): string =>
  fileURLToPath(new URL(`../../../tests/golden/images/${file}`, import.meta.url));
const cases = JSON.parse(await readFile(golden("cases.json"), "utf8")) as Record<string, Case>;
const expected = await loadWeightsFromCheckpoint(golden("expected.safetensors"));
const sizes = { channels: 3, height: 4, width: 4 };
const vit = { image_processor_type: "ViTImageProcessor", size: { height: 4, width: 4 } };

test.each(Object.entries(cases))(
  "%s: the values are transformers' to the bit",
  async (name, { image, config, shape }) => {
    const [channels, height, width] = shape;
    const processor = createImageProcessor(config, { channels, height, width });
    const raster = await decodeImage(await readFile(golden(image)), image);
    const pixels = processor.pixels(withChannels(raster, channels), image);
    expect(pixels).toHaveLength(channels * height * width);
    const { bytes } = expected.get(name)!;
    const values = new Float32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 4);
    expect(processor.feeds([pixels, pixels])).toEqual({
      pixel_values: float32([2, channels, height, width], Float32Array.of(...values, ...values)),
    });
  },
);

test("an image of one colour keeps it whatever it is resized to, and its own size changes nothing", () => {
  const sides = fc.tuple(...Array.from({ length: 4 }, () => fc.integer({ min: 1, max: 40 })));
  const filters = fc.constantFrom("nearest", "box", "bilinear", "hamming", "bicubic", "lanczos");
  fc.assert(
    fc.property(sides, filters, fc.nat(255), ([w, h, width, height], filter, value) => {
      const image = { width: w!, height: h!, channels: 1, data: new Uint8Array(w! * h!).fill(value) };
      expect(resize(image, width!, height!, filter).data).toEqual(new Uint8Array(width! * height!).fill(value));
      expect(resize(image, w!, h!, filter)).toBe(image);
    }),
  );
});

test("bytes that are no image, an image cut short, and other formats are refused with the path", async () => {
  const whole = await readFile(golden("rgb.png"));
  const svg = new TextEncoder().encode('<svg xmlns="http://www.w3.org/2000/svg" width="4" height="4"/>');
  for (const bytes of [new Uint8Array(0), Uint8Array.of(1, 2, 3), whole.subarray(0, 600), svg]) {
    await expect(decodeImage(bytes, "cat.png")).rejects.toThrow(
      /^cat.png: cannot be read as a JPEG, PNG, WebP or GIF image \(.+\)$/,
    );
  }
});

test("a small file that claims a huge image is refused before it is decoded", async () => {
  const bomb = await readFile(golden("rgb.png"));
  bomb.writeUInt32BE(16_000, 16);
  bomb.writeUInt32BE(16_000, 20);
  bomb.writeUInt32BE(crc32(bomb.subarray(12, 29)), 29);
  await expect(decodeImage(bomb, "bomb.png")).rejects.toThrow(/^bomb.png: .*pixel limit/);
});

test("a processor that is not known, or does not fit the model, is refused by its key", async () => {
  const build = (config: unknown) => () => createImageProcessor(config, sizes);
  expect(build({ ...vit, image_processor_type: "Siglip2ImageProcessor" })).toThrow(
    "preprocessor_config.json: image_processor_type: Siglip2ImageProcessor cannot be run (supported: ViTImageProcessor, CLIPImageProcessor)",
  );
  expect(build({ ...vit, image_mean: [0.5] })).toThrow(
    "preprocessor_config.json: image_mean: has 1 values, but the model takes 3 channels",
  );
  expect(build({ ...vit, size: { height: 0 }, resample: 9 })).toThrow(/size: .*\n.*resample: /);
  const larger = createImageProcessor({ ...vit, size: 5 }, sizes);
  const raster = await decodeImage(await readFile(golden("rgb.png")), "rgb.png");
  expect(() => larger.pixels(raster, "rgb.png")).toThrow(
    "rgb.png: has 5 x 5 pixels after preprocessor_config.json, but the model takes 4 x 4",
  );
});

test("more images than memory is meant to hold are refused before one is decoded", async () => {
  const image = { channels: 3, height: 224, width: 224, tokens: 197 };
  const reader = createImageReader({ image_processor_type: "ViTImageProcessor" }, image);
  const items = new Array<ImageItem>(30_000).fill({ image: new Uint8Array(0), place: "img/a/1.png" });
  await expect(reader.read(items)).rejects.toThrow(
    "img/a/1.png and 29999 others: too many images to keep in memory: keep at most 28532 in a split",
  );
});
