// A web server over a directory, for benchmarks: ranges, entity tags, and a count of the bytes of bodies at /--sent. Prints its URL.
// Usage: node tests/bench/file-server.ts DIRECTORY
import { createReadStream, statSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join, normalize } from "node:path";

const [root = "."] = process.argv.slice(2);
let sent = 0;

const server = createServer((request, response) => {
  if (request.url === "/--sent") {
    response.end(`${sent}`);
    sent = 0;
    return;
  }
  const path = join(root, normalize(decodeURIComponent(request.url ?? "/")));
  const stats = statSync(path, { throwIfNoEntry: false });
  if (stats?.isFile() !== true) {
    response.writeHead(404).end();
    return;
  }
  const match = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? "");
  const first = Number(match?.[1] ?? 0);
  const last = Math.min(Number(match?.[2] ?? stats.size - 1), stats.size - 1);
  response.writeHead(match === null ? 200 : 206, {
    etag: `"${stats.size}-${stats.mtimeMs}"`,
    "content-length": last - first + 1,
    ...(match === null ? {} : { "content-range": `bytes ${first}-${last}/${stats.size}` }),
  });
  if (request.method === "HEAD") {
    response.end();
    return;
  }
  sent += last - first + 1;
  createReadStream(path, { start: first, end: last, highWaterMark: 1024 * 1024 }).pipe(response);
});
server.listen(0, "127.0.0.1", () => {
  process.stdout.write(`http://127.0.0.1:${(server.address() as AddressInfo).port}\n`);
});
