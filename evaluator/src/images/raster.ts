/** An image in memory, as it was decoded or resized. */

export interface Raster {
  readonly width: number;
  readonly height: number;
  /** 1 (grey) or 3 (red, green, blue). */
  readonly channels: number;
  /** `[height, width, channels]`. */
  readonly data: Uint8Array;
}
