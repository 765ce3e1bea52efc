// S3-compatible storage: addresses, signatures (AWS Signature Version 4), listings. aws4fetch signs; see docs/dependencies.md.

import { fileNameRule } from "../contained-path.ts";
import { CheckpointError } from "../errors.ts";
import { maxFiles } from "../limits.ts";
import { formatRemote, type S3Location } from "../location.ts";
import type { ReadOptions } from "../source.ts";
import { s3Settings } from "./environment.ts";
import type { Authorize } from "./http.ts";
import { fetchWhole } from "./whole.ts";

/** sha256 of no bytes: no request has a body. */
const emptySha256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
/** 1,000 keys of at most 1,024 bytes, escaped. */
const maxListingBytes = 16_000_000;

/** Address of an object: path style at other servers than Amazon's and for buckets with dots, which no certificate covers. */
export function s3Url({ bucket, key }: S3Location): URL {
  const { endpoint, region } = s3Settings();
  const path = key.split("/").map(escapeKey).join("/");
  if (endpoint !== undefined) return new URL(`${endpoint}/${bucket}/${path}`);
  const host = `s3.${region}.amazonaws.com`;
  return new URL(bucket.includes(".") ? `https://${host}/${bucket}/${path}` : `https://${bucket}.${host}/${path}`);
}

/** Signs requests to the bucket's own server; what it redirects to gets no credentials. */
export function authorizeS3(location: S3Location): Authorize {
  return async (method, url) => {
    const { credentials, region } = s3Settings();
    if (credentials === undefined || url.origin !== s3Url(location).origin) return {};
    const { AwsV4Signer } = await import("aws4fetch");
    const { accessKeyId, secretAccessKey, sessionToken } = credentials;
    const signer = new AwsV4Signer({
      method,
      url: url.href,
      headers: { "x-amz-content-sha256": emptySha256 },
      accessKeyId,
      secretAccessKey,
      ...(sessionToken === undefined ? {} : { sessionToken }),
      service: "s3",
      region,
    });
    const { headers } = await signer.sign();
    return Object.fromEntries(headers);
  };
}

/** Names of the objects right under a prefix (ListObjectsV2). */
export async function listS3(folder: S3Location, options: ReadOptions = {}): Promise<string[]> {
  const name = formatRemote(folder);
  const prefix = folder.key === "" ? "" : `${folder.key}/`;
  const names: string[] = [];
  let token: string | undefined;
  do {
    const url = s3Url({ ...folder, key: "" });
    const query = { "list-type": "2", "encoding-type": "url", delimiter: "/", prefix };
    const all = token === undefined ? query : { ...query, "continuation-token": token };
    // Spaces as %20: a signature is made of that form, and not every server reads + as a space.
    url.search = Object.entries(all)
      .map(([key, value]) => `${key}=${escapeKey(value)}`)
      .join("&");
    const place = { name, url, authorize: authorizeS3(folder) };
    const text = new TextDecoder().decode(await fetchWhole(place, maxListingBytes, options));
    if (!text.includes("<ListBucketResult")) {
      throw new CheckpointError({
        file: name,
        rule: `${url.host} did not answer as S3 does`,
        hint: "check AWS_ENDPOINT_URL",
      });
    }
    const isEscaped = elements(text, "EncodingType")[0] === "url";
    for (const key of elements(text, "Key")) {
      const whole = isEscaped ? unescapeKey(unescapeXml(key)) : unescapeXml(key);
      const file = whole.slice(prefix.length);
      if (whole.startsWith(prefix) && fileNameRule(file) === undefined) names.push(file);
    }
    if (names.length > maxFiles) throw new CheckpointError({ file: name, rule: `has more than ${maxFiles} files` });
    const [next] = elements(text, "NextContinuationToken");
    token = elements(text, "IsTruncated")[0] === "true" && next !== undefined ? unescapeXml(next) : undefined;
  } while (token !== undefined);
  if (names.length === 0) {
    throw new CheckpointError({ file: name, rule: "has no files", hint: "check bucket and prefix", code: "not_found" });
  }
  return names;
}

/** Contents of every `<tag>`, which has no elements in it. */
const elements = (xml: string, tag: string): string[] =>
  [...xml.matchAll(new RegExp(`<${tag}>([^<]*)</${tag}>`, "g"))].map(([, text = ""]) => text);

const entities: Readonly<Record<string, string>> = { amp: "&", lt: "<", gt: ">", quot: '"', apos: "'" };

const unescapeXml = (text: string): string =>
  text.replace(/&(?:#(\d{1,7})|#x([0-9a-f]{1,6})|(lt|gt|quot|apos|amp));/gi, (_, decimal, hex, entity) => {
    if (entity !== undefined) return entities[entity.toLowerCase()] ?? "";
    const code = decimal === undefined ? Number.parseInt(hex, 16) : Number(decimal);
    return code <= 0x10ffff ? String.fromCodePoint(code) : "";
  });

/** Not every server does what `encoding-type=url` asks for; those that do write spaces as `+`. */
function unescapeKey(text: string): string {
  try {
    return decodeURIComponent(text.replaceAll("+", " "));
  } catch {
    // No name of a file that is wanted.
    return "";
  }
}

/** As the signature wants it: everything but unreserved characters (RFC 3986). */
const escapeKey = (part: string): string =>
  encodeURIComponent(part).replace(/[!'()*]/g, (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`);
