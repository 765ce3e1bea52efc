export type { Device, DeviceWindow } from "./device.ts";
export { createDeviceExecutor, forgetOwner } from "./device-executor.ts";
export { type DeviceHost, startDevice } from "./device-host.ts";
export { isBackend, knownBackends, openDevice, WASM } from "./open-device.ts";
export type { DeviceLink } from "./thread-protocol.ts";
