export type { Device, DeviceWindow } from "./device.ts";
export { openWebGpu, webGpuAdapter } from "./webgpu.ts";
