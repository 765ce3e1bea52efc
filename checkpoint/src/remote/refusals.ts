// What a server's refusal means for the user: the status, and what the Hub and S3 say beside it. No text that a server sent is
// repeated but error codes of a known shape.
import { CheckpointError } from "../errors.ts";
import { hubSettings, s3Settings } from "./environment.ts";
import type { Reply } from "./http.ts";

type Refusal = Pick<Reply, "status" | "headers" | "first" | "url">;

/** The error for an answer that is neither success nor worth asking again. */
export function refusal(name: string, { status, headers, first, url }: Refusal): CheckpointError {
  const code = first["x-error-code"] ?? headers["x-error-code"];
  if (name.startsWith("hf://") && typeof code === "string") {
    const known = hubRefusal(name, code);
    if (known !== undefined) return known;
  }
  if (status === 401 || status === 403) {
    const rule = `${url.host} refuses access (${status})`;
    return new CheckpointError({ file: name, rule, hint: accessHint(name), code: "permission_denied" });
  }
  if (status === 404 || status === 410) {
    return new CheckpointError({ file: name, rule: `does not exist on ${url.host} (${status})`, code: "not_found" });
  }
  const region = headers["x-amz-bucket-region"];
  if (name.startsWith("s3://") && typeof region === "string" && /^[\w-]{1,40}$/.test(region)) {
    return new CheckpointError({
      file: name,
      rule: `the bucket is in region ${region}`,
      hint: `set AWS_REGION=${region}`,
    });
  }
  return new CheckpointError({ file: name, rule: `${url.host} answered ${status}`, hint: "check the address" });
}

/** True for an answer that says that there is no such file, which for a file that may be missing is good news. */
export function isAbsent({ status }: Pick<Reply, "status">): boolean {
  return status === 404 || status === 410;
}

/** `X-Error-Code` of the Hub. */
function hubRefusal(file: string, code: string): CheckpointError | undefined {
  const { endpoint, token } = hubSettings();
  const model = file.slice("hf://".length).split("@")[0];
  switch (code) {
    case "GatedRepo":
      return new CheckpointError({
        file,
        rule: "the model is gated",
        hint: `accept its terms at ${endpoint}/${model}${token === undefined ? ", and set HF_TOKEN" : " with the account of HF_TOKEN"}`,
        code: "permission_denied",
      });
    case "RepoNotFound":
      return new CheckpointError({
        file,
        rule: `${new URL(endpoint).host} has no such model, or it is private`,
        hint:
          token === undefined
            ? "check the name; for a private model set HF_TOKEN"
            : "check the name and what HF_TOKEN may read",
        code: "not_found",
      });
    case "RevisionNotFound":
      return new CheckpointError({
        file,
        rule: "the model has no such revision",
        hint: "name a branch, tag or commit",
        code: "not_found",
      });
    case "EntryNotFound":
      return new CheckpointError({ file, rule: "the model has no such file in this revision", code: "not_found" });
    default:
      return undefined;
  }
}

function accessHint(name: string): string {
  if (name.startsWith("hf://")) {
    const { endpoint, token } = hubSettings();
    return token === undefined
      ? `set HF_TOKEN to a token that ${endpoint} gave you`
      : "HF_TOKEN is not valid, or may not read this model";
  }
  if (!name.startsWith("s3://")) return "no credentials are sent to web servers: use s3://, or mount the files";
  return s3Settings().credentials === undefined
    ? "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY; without, only public buckets can be read"
    : "check AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN and AWS_REGION, and what they may read";
}
