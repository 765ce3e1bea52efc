// What the manifest says computed the bytes.
import { VERSION } from "@amalgam/runtime";

export const versionsOf = (backend: string): Readonly<Record<string, string>> => ({ amalgam: VERSION, backend });
