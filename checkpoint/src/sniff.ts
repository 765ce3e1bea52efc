// Says what a file is that is not safetensors, from its first bytes. It never reads such a file further: pickles run code when
// loaded (CVE-2025-32434), and an extension proves nothing.

const unpickle = "loading a pickle can run any code, so it is never done here";
const convert =
  "convert the model to safetensors with transformers' save_pretrained, in a sandbox if you do not trust it";

const signatures: readonly { readonly magic: string; readonly is: string; readonly hint: string }[] = [
  { magic: "PK", is: `a zip archive, as torch.save writes; ${unpickle}`, hint: convert },
  { magic: "\x80\x02", is: `a Python pickle; ${unpickle}`, hint: convert },
  { magic: "\x80\x03", is: `a Python pickle; ${unpickle}`, hint: convert },
  { magic: "\x80\x04", is: `a Python pickle; ${unpickle}`, hint: convert },
  { magic: "\x80\x05", is: `a Python pickle; ${unpickle}`, hint: convert },
  { magic: "GGUF", is: "a GGUF file", hint: "merge the original safetensors weights, then convert the result to GGUF" },
  { magic: "ggml", is: "a GGML file", hint: "merge the original safetensors weights" },
  { magic: "\x93NUMPY", is: "a NumPy array", hint: convert },
  { magic: "\x89HDF", is: "an HDF5 file", hint: convert },
  { magic: "\x1f\x8b", is: "a gzip archive", hint: "unpack it first" },
  { magic: "\x28\xb5\x2f\xfd", is: "a Zstandard archive", hint: "unpack it first" },
  { magic: "\x7fELF", is: "an executable", hint: "check where it came from" },
  { magic: "#!", is: "a script", hint: "check where it came from" },
  {
    magic: "version https://git-lfs",
    is: "a Git LFS pointer, not the weights",
    hint: "run git lfs pull in the model's folder",
  },
  { magic: "<", is: "a web page or XML", hint: "the download answered with a page: check the address and your access" },
  { magic: "{", is: "JSON text", hint: "the download may have answered with an error message: read the file" },
];

/** Enough bytes for every signature. */
export const sniffBytes = 32;

/** What the first bytes of a file that is not safetensors look like, or undefined when they look like nothing known. */
export function sniffForeign(start: Uint8Array): { readonly is: string; readonly hint: string } | undefined {
  const text = String.fromCharCode(...start.subarray(0, sniffBytes)).replace(/^[\s\ufeff]+(?=[<{])/, "");
  return signatures.find(({ magic }) => text.startsWith(magic));
}
