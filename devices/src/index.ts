export type { Device, DeviceWindow } from "./device.ts";
export { createDeviceExecutor, forgetOwner } from "./device-executor.ts";
export { type DeviceHost, startDevice } from "./device-host.ts";
export { type BackendReport, fastest, measureBackends } from "./measure.ts";
export { AUTO, BACKENDS, isBackend, WASM } from "./names.ts";
export { openDevice } from "./open-device.ts";
export { resolveBackend, startBackend } from "./start-backend.ts";
export type { DeviceLink } from "./thread-protocol.ts";
