// What compute threads need: nothing that is slow to load.
export { createDeviceExecutor, forgetOwner } from "./device-executor.ts";
export { WASM } from "./names.ts";
export type { DeviceLink } from "./thread-protocol.ts";
