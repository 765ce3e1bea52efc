/** An image in memory, as it was decoded or resized. */

export interface Raster {
  readonly width: number;
  readonly height: number;
  /** 1 (grey) or 3 (red, green, blue). */
  readonly channels: number;
  /** `[height, width, channels]`. */
  readonly data: Uint8Array;
}

/** The same image in grey or in colours; grey of colours is their luma (ITU-R 601) in 16-bit fixed point, as Pillow has it. */
export function withChannels(image: Raster, channels: number): Raster {
  if (image.channels === channels) return image;
  const { width, height, data } = image;
  if (channels === 3)
    return {
      width,
      height,
      channels,
      data: Uint8Array.from({ length: 3 * data.length }, (_, i) => data[Math.floor(i / 3)]!),
    };
  const grey = Uint8Array.from({ length: width * height }, (_, i) => {
    const [red, green, blue] = [data[3 * i]!, data[3 * i + 1]!, data[3 * i + 2]!];
    return (red * 19595 + green * 38470 + blue * 7471 + 0x8000) >> 16;
  });
  return { width, height, channels: 1, data: grey };
}
