import type { DeviceWindow } from "./device.ts";

/** Part of a window. */
export function partOf(window: DeviceWindow, from: number, elements: number): DeviceWindow {
  if (elements === window.elements) return window;
  const cut = (bytes: Uint8Array): Uint8Array => {
    const size = bytes.byteLength / window.elements;
    return bytes.subarray(from * size, (from + elements) * size);
  };
  return {
    ...window,
    inputs: window.inputs.map(cut),
    output: cut(window.output),
    first: window.first + from,
    elements,
  };
}
