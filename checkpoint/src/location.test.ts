import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { CheckpointError } from "./errors.ts";
import { formatRemote, isRemote, joinRemote, parseHubReference, parseRemote, type RemoteLocation } from "./location.ts";
import { canonicalReference, referenceName } from "./reference.ts";
import { hubFileUrl } from "./remote/hub.ts";
import { s3Url } from "./remote/s3.ts";

const commit = "0123456789abcdef0123456789abcdef01234567";

test.each([
  ["https://host/models/base/", "https://host/models/base"],
  ["HTTPS://Host:8443/a%20b", "https://host:8443/a%20b"],
  ["http://host", "http://host"],
  ["https://host/a/../b/model.safetensors", "https://host/b/model.safetensors"],
  ["s3://bucket/some/prefix/", "s3://bucket/some/prefix"],
  ["s3://bucket", "s3://bucket"],
  ["hf://org/name", "hf://org/name"],
  ["hf://org/name@main", "hf://org/name"],
  ["hf://gpt2", "hf://gpt2"],
  ["hf://gpt2@main/model.safetensors", "hf://gpt2@main/model.safetensors"],
  ["hf://org/name/fisher.safetensors", "hf://org/name@main/fisher.safetensors"],
  ["hf://org/name@refs%2Fpr%2F1", "hf://org/name@refs%2Fpr%2F1"],
  [`hf://org/name@${commit}/a b.safetensors`, `hf://org/name@${commit}/a b.safetensors`],
])("%s is %s", (text, formatted) => {
  expect(formatRemote(parseRemote(text))).toBe(formatted);
  expect(formatRemote(parseRemote(formatted))).toBe(formatted);
});

describe("what is refused, and why", () => {
  test.each([
    ["ftp://host/a", /use https/],
    ["file:///etc/passwd", /use https/],
    ["https://", /is not a URL/],
    ["https://user:secret@host/a", /user name or password/],
    ["https://host/a?X-Amz-Signature=secret", /has a query/],
    ["https://host/a#secret", /has a query or a fragment/],
    ["https://host/a%zz", /broken % escape/],
    ["s3://", /begin with a bucket/],
    ["s3://secret@bucket/a", /begin with a bucket/],
    ["s3://a..b/x", /begin with a bucket/],
    ["s3://bucket/a//b", /empty, `.` or `..` part/],
    ["s3://bucket/../other", /`..` part/],
    ["s3://bucket/a?versionId=secret", /query/],
    ["hf://", /not a model of the Hub/],
    ["hf://org/name/folder/file.safetensors", /not a model of the Hub/],
    ["hf://org/../name", /not a model of the Hub/],
    ["hf://../name", /not a model of the Hub/],
    ["hf://org/name@..%2F..%2Fother", /`..` part/],
    ["hf://org/name@%2Fetc", /empty or/],
    ["hf://org/name@a%20b", /no branch, tag or commit/],
    ["hf://org/name@%zz", /broken % escape/],
    ["hf://org/name@main/..", /not a file name/],
    ["hf://org/na--me", /not a model of the Hub/],
    ["hf://org/name.git", /not a model of the Hub/],
  ])("%s", (text, reason) => {
    expect(() => parseRemote(text)).toThrow(reason);
    expect(() => parseRemote(text)).not.toThrow(/secret/);
  });
});

const folders: readonly RemoteLocation[] = ["https://host/a/b", "s3://bucket/a", "hf://org/name"].map(parseRemote);

/** Names with the characters that lead out of folders, in plain and escaped form. */
const hostileName = fc
  .array(
    fc.oneof(
      fc.constantFrom("..", ".", "/", "\\", "%2f", "%2e%2e", "%5c", "?", "#", "@", ":", "//", "\0"),
      fc.string(),
    ),
  )
  .map((parts) => parts.join(""));

test("no name leads out of its folder: it is refused, or is one part of the path under the folder", () => {
  fc.assert(
    fc.property(hostileName, fc.constantFrom(...folders), (name, folder) => {
      let file: RemoteLocation;
      try {
        file = joinRemote(folder, name);
      } catch (error) {
        expect(error).toBeInstanceOf(CheckpointError);
        return;
      }
      const [url, parent] =
        file.kind === "http"
          ? [new URL(file.url), new URL(`${formatRemote(folder)}/`)]
          : file.kind === "s3"
            ? [s3Url(file), new URL("/a/", s3Url(file))]
            : [hubFileUrl(file), new URL("/org/name/resolve/main/", hubFileUrl(file))];
      expect(url.href.startsWith(parent.href)).toBe(true);
      expect(url.search + url.hash).toBe("");
      expect(decodeURIComponent(url.href.slice(parent.href.length))).toBe(name);
      expect(url.href.slice(parent.href.length)).not.toContain("/");
    }),
    { numRuns: 2_000 },
  );
});

test("whatever text is given, it is refused by name or read back from its one spelling", () => {
  const text = fc.tuple(fc.constantFrom("hf://", "s3://", "https://", "http://"), hostileName).map(([a, b]) => a + b);
  fc.assert(
    fc.property(text, (location) => {
      try {
        const formatted = formatRemote(parseRemote(location));
        expect(formatRemote(parseRemote(formatted))).toBe(formatted);
        expect(isRemote(formatted)).toBe(true);
      } catch (error) {
        expect(error).toBeInstanceOf(CheckpointError);
      }
    }),
    { numRuns: 2_000 },
  );
});

test.each([
  ["org/name", "org/name", "main"],
  ["org/name@v1.0", "org/name", "v1.0"],
  ["org/name@refs/pr/1", "org/name", "refs/pr/1"],
  [`org/name@${commit}`, "org/name", commit],
])("%s is a model of the Hub", (text, id, revision) => {
  expect(parseHubReference(text)).toEqual({ kind: "hub", id, revision, file: undefined });
});

test.each([
  "name", // a folder that is missing must not become a request to a server
  "./org/name",
  "../name",
  "/org/name",
  "a/b/c",
  "org/name@",
  "org/name@../x",
  "org/..",
  "org\\name",
  "C:/name",
])("%s is no model of the Hub", (text) => {
  expect(parseHubReference(text)).toBeUndefined();
});

test.each([
  ["./a", "a"],
  ["a/", "a"],
  [".", "."],
  ["/", "/"],
  ["./org/name", "./org/name"],
  ["org/name/", "org/name"],
  ["././a/b/c/", "a/b/c"],
  ["https://host/a/", "https://host/a"],
])("the one spelling of %s is %s", (text, canonical) => {
  expect(canonicalReference(text)).toBe(canonical);
});

test.each([
  ["models/expert", "expert"],
  ["org/name@refs/pr/1", "name"],
  ["https://host/models/expert", "expert"],
  ["s3://bucket/prefix/expert", "expert"],
  ["hf://org/name@main", "name"],
  [".", "."],
])("%s is called %s", (text, name) => {
  expect(referenceName(text)).toBe(name);
});
