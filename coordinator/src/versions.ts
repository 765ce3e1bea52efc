// What the manifest says computed the bytes. A test holds the version against package.json.
export const VERSIONS: Readonly<Record<string, string>> = { amalgam: "0.1.0", backend: "wasm-simd" };
