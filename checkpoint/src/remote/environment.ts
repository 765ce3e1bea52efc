// The settings of remote places, each process from its own environment: nothing of them is ever sent to another process,
// written to a file or put into a message. Names and meanings are those of huggingface_hub and of the AWS tools.
import { readFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { CheckpointError } from "../errors.ts";

export interface HubSettings {
  /** Without a slash at the end. */
  readonly endpoint: string;
  readonly token: string | undefined;
  /** Directory of `models--org--name` folders. */
  readonly cacheDirectory: string;
  readonly offline: boolean;
}

export interface S3Settings {
  readonly region: string;
  /** Of another server than Amazon's. */
  readonly endpoint: string | undefined;
  readonly credentials:
    | { readonly accessKeyId: string; readonly secretAccessKey: string; readonly sessionToken: string | undefined }
    | undefined;
}

type Environment = Readonly<Record<string, string | undefined>>;

export function hubSettings(env: Environment = process.env): HubSettings {
  const home = env["HF_HOME"] || join(env["XDG_CACHE_HOME"] || join(homedir(), ".cache"), "huggingface");
  return {
    endpoint: endpointOf("HF_ENDPOINT", env["HF_ENDPOINT"] || "https://huggingface.co"),
    token: tokenOf(env, home),
    cacheDirectory: env["HF_HUB_CACHE"] || join(home, "hub"),
    offline: /^(1|ON|YES|TRUE)$/i.test(env["HF_HUB_OFFLINE"] ?? ""),
  };
}

export function s3Settings(env: Environment = process.env): S3Settings {
  const endpoint = env["AWS_ENDPOINT_URL_S3"] || env["AWS_ENDPOINT_URL"] || undefined;
  const accessKeyId = env["AWS_ACCESS_KEY_ID"] || undefined;
  const secretAccessKey = env["AWS_SECRET_ACCESS_KEY"] || undefined;
  if ((accessKeyId === undefined) !== (secretAccessKey === undefined)) {
    throw new CheckpointError({
      file: "s3://",
      rule: "only one of AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY is set",
    });
  }
  return {
    region: env["AWS_REGION"] || env["AWS_DEFAULT_REGION"] || "us-east-1",
    endpoint: endpoint === undefined ? undefined : endpointOf("AWS_ENDPOINT_URL", endpoint),
    credentials:
      accessKeyId === undefined || secretAccessKey === undefined
        ? undefined
        : { accessKeyId, secretAccessKey, sessionToken: env["AWS_SESSION_TOKEN"] || undefined },
  };
}

/** A server that sends nothing for this long is given up, and asked again. */
export function timeoutMs(env: Environment = process.env): number {
  const text = env["AMALGAM_SOURCE_TIMEOUT_MS"] || "30000";
  const value = Number(text);
  if (Number.isSafeInteger(value) && value > 0) return value;
  throw new CheckpointError({
    file: "AMALGAM_SOURCE_TIMEOUT_MS",
    rule: "must be a whole number of milliseconds from 1",
  });
}

function endpointOf(name: string, text: string): string {
  const url = URL.parse(text);
  if (url !== null && /^https?:$/.test(url.protocol) && url.username === "" && url.search === "") {
    return `${url.origin}${url.pathname.replace(/\/+$/, "")}`;
  }
  throw new CheckpointError({ file: name, rule: "must be an http:// or https:// URL without a user name and a query" });
}

function tokenOf(env: Environment, home: string): string | undefined {
  const token =
    env["HF_TOKEN"] || env["HUGGING_FACE_HUB_TOKEN"] || tokenFile(env["HF_TOKEN_PATH"] || join(home, "token"));
  const trimmed = token?.trim();
  if (trimmed === undefined || trimmed === "") return undefined;
  if (/^[\u0021-\u007e]+$/.test(trimmed)) return trimmed;
  throw new CheckpointError({ file: "HF_TOKEN", rule: "has characters that no token has" });
}

function tokenFile(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch {
    // Most users have none.
    return undefined;
  }
}
