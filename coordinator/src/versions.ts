// What the manifest says computed the bytes.
import { VERSION } from "@amalgam/runtime";

export const VERSIONS: Readonly<Record<string, string>> = { amalgam: VERSION, backend: "wasm-simd" };
