import fc from "fast-check";
import { afterEach, expect, test } from "vitest";
import type { RemoteSource } from "../source.ts";
import { answer, cutAfter, entityTag, RangeServer } from "../testing/range-server.ts";
import { openRemote } from "./places.ts";
import { readAhead } from "./read-ahead.ts";

const bytes = Buffer.from(Array.from({ length: 300_000 }, (_, index) => (index * 7919) % 251));
const large = Buffer.concat(Array.from({ length: 70 }, () => bytes));

async function serve(file: Uint8Array = bytes) {
  const server = await RangeServer.start({ "/model.safetensors": file });
  return {
    server,
    location: `${server.url}/model.safetensors`,
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}

const open = async (location: string): Promise<RemoteSource> => (await openRemote(location)) as RemoteSource;

async function read(source: RemoteSource, begin: number, end: number): Promise<Buffer> {
  const target = Buffer.alloc(end - begin);
  await source.readInto(target, begin);
  return target;
}

const timeout = process.env["AMALGAM_SOURCE_TIMEOUT_MS"];
afterEach(() => {
  process.env["AMALGAM_SOURCE_TIMEOUT_MS"] = timeout ?? "";
});

test("a range of a remote file is what it is in the file, and nothing else is fetched", async () => {
  await using place = await serve();
  const source = await open(place.location);
  expect(source).toMatchObject({ byteLength: bytes.length, name: place.location });
  expect(source.identity()).toEqual({ byteLength: bytes.length, version: entityTag(bytes) });
  place.server.sentBytes = 0;
  await fc.assert(
    fc.asyncProperty(fc.nat(bytes.length), fc.nat(bytes.length), async (a, b) => {
      const [begin, end] = [Math.min(a, b), Math.max(a, b)];
      const before = place.server.sentBytes;
      expect((await read(source, begin, end)).equals(bytes.subarray(begin, end))).toBe(true);
      // The first 64 KiB came with opening.
      expect(place.server.sentBytes - before).toBe(Math.max(0, end - Math.max(begin, 65_536)));
    }),
    { numRuns: 50 },
  );
});

test("a long range comes in pieces side by side, each byte once", async () => {
  await using place = await serve(large);
  const source = await open(place.location);
  place.server.sentBytes = 0;
  const seen = Buffer.alloc(large.length);
  let count = 0;
  await source.read(1, large.length, (data, at) => {
    seen.set(data, at);
    count += data.length;
  });
  expect(seen.subarray(1).equals(large.subarray(1))).toBe(true);
  expect(count).toBe(large.length - 1);
  expect(place.server.sentBytes).toBe(large.length - 65_536);
  expect(place.server.requests.length).toBe(1 + Math.ceil((large.length - 65_536) / (8 * 1024 * 1024)));
});

test("a connection that breaks within a range goes on where it broke", async () => {
  await using place = await serve();
  const source = await open(place.location);
  place.server.once(cutAfter(100_000), 2);
  expect((await read(source, 70_000, 300_000)).equals(bytes.subarray(70_000))).toBe(true);
  const ranges = place.server.requests.slice(1).map(({ range }) => range);
  expect(ranges).toHaveLength(3);
  expect(ranges[0]).toBe("bytes=70000-299999");
  // What had arrived is not asked for again.
  const starts = ranges.map((range) => Number(/=(\d+)-/.exec(range ?? "")?.[1]));
  expect(starts[1]).toBeGreaterThan(starts[0]!);
  expect(starts[2]).toBeGreaterThan(starts[1]!);
});

test("a server that is busy or broken is asked again, after as long as it says", async () => {
  await using place = await serve();
  for (const status of [429, 500, 408]) place.server.once(answer(status, { "retry-after": "0" }));
  const source = await open(place.location);
  place.server.once(answer(503, { "retry-after": "1" }));
  const started = performance.now();
  expect((await read(source, 65_536, 100_000)).equals(bytes.subarray(65_536, 100_000))).toBe(true);
  expect(performance.now() - started).toBeGreaterThan(999);
});

test("a server that stays away is given up with its name and what to do, and one that asks for an hour at once", async () => {
  await using place = await serve();
  place.server.always(answer(503));
  await expect(open(place.location)).rejects.toMatchObject({
    code: "unavailable",
    message: expect.stringMatching(
      /model.safetensors: cannot be read: 127.0.0.1:\d+ answered 503 \(tried 4 times\) \(check/,
    ),
  });
  place.server.faults.length = 0;
  place.server.requests.length = 0;
  place.server.always(answer(429, { "retry-after": "3600" }));
  await expect(open(place.location)).rejects.toThrow(/answered 429, and asks to wait 3600 s/);
  expect(place.server.requests).toHaveLength(1);
});

test("nobody listens at the address", async () => {
  const place = await serve();
  await place[Symbol.asyncDispose]();
  await expect(open(place.location)).rejects.toMatchObject({
    code: "unavailable",
    message: expect.stringMatching(/ECONNREFUSED/),
  });
});

test("a server that falls silent is given up after the time limit, and asked again", async () => {
  process.env["AMALGAM_SOURCE_TIMEOUT_MS"] = "200";
  await using place = await serve();
  place.server.once(() => true);
  const source = await open(place.location);
  place.server.once((request, response, file) => {
    response.writeHead(206, {
      "content-range": `bytes 70000-79999/${file?.length}`,
      "content-length": 10_000,
      etag: entityTag(bytes),
    });
    response.write(bytes.subarray(70_000, 70_100));
    return request.headers.range !== undefined;
  });
  expect((await read(source, 70_000, 80_000)).equals(bytes.subarray(70_000, 80_000))).toBe(true);
});

test("a file that changes is refused, not mixed: by its entity tag, its size, or its time", async () => {
  const other = Buffer.from(bytes).fill(1);
  for (const [changed, headers] of [
    [other, {}],
    [Buffer.concat([bytes, bytes]), { etag: entityTag(bytes) }],
    [other, { etag: "", "last-modified": "Fri, 02 Jan 2026 00:00:00 GMT" }],
  ] as const) {
    await using place = await serve();
    if ("last-modified" in headers) {
      place.server.once((request, response, file) => {
        const dated = { "last-modified": "Thu, 01 Jan 2026 00:00:00 GMT" };
        response.writeHead(206, {
          ...dated,
          "content-range": `bytes 0-65535/${file?.length}`,
          "content-length": 65_536,
        });
        response.end(file?.subarray(0, 65_536));
        return request.headers.range !== undefined;
      });
    }
    const source = await open(place.location);
    place.server.always((request, response) => {
      place.server.send(request, response, changed, headers);
      return true;
    });
    await expect(read(source, 70_000, 80_000)).rejects.toMatchObject({
      code: "failed_precondition",
      message: expect.stringMatching(/changed on the server after it was opened/),
    });
    await expect(source.verifyUnchanged()).rejects.toThrow(/changed on the server/);
  }
});

test("a file that is another version than the one before is refused when it is opened again", async () => {
  await using place = await serve();
  const identity = (await open(place.location)).identity();
  await (await openRemote(place.location, { expected: identity })).verifyUnchanged();
  place.server.files.set("/model.safetensors", Buffer.from(bytes).fill(2));
  await expect(openRemote(place.location, { expected: identity })).rejects.toThrow(/changed on the server/);
});

test("a server without ranges is refused at once, in one sentence", async () => {
  await using place = await serve();
  place.server.always((request, response, file) => {
    delete request.headers.range;
    place.server.send(request, response, file!);
    return true;
  });
  await expect(open(place.location)).rejects.toThrow(/127.0.0.1:\d+ does not support range requests \(serve the files/);
  expect(place.server.requests).toHaveLength(1);
});

test("an answer with other bytes than were asked for is refused", async () => {
  await using place = await serve();
  const source = await open(place.location);
  for (const range of ["bytes 0-9999/300000", "bytes 70000-80000/300000", "bytes 70000-79999/*", "", "items 1-2/3"]) {
    place.server.once((_request, response) => {
      response.writeHead(206, { etag: entityTag(bytes), ...(range === "" ? {} : { "content-range": range }) });
      response.end(bytes.subarray(0, 10_000));
      return true;
    });
    await expect(read(source, 70_000, 80_000)).rejects.toThrow(/other bytes than|does not say how long|changed/);
  }
  place.server.once((_request, response) => {
    response.writeHead(206, { etag: entityTag(bytes), "content-range": "bytes 70000-79999/300000" });
    response.end(bytes);
    return true;
  });
  await expect(read(source, 70_000, 80_000)).rejects.toThrow(/other bytes than/);
});

test("what is missing or forbidden is told, and not asked for again", async () => {
  await using place = await serve();
  await expect(openRemote(`${place.server.url}/gone.safetensors`)).rejects.toMatchObject({
    code: "not_found",
    message: expect.stringMatching(/gone.safetensors: does not exist on 127.0.0.1:\d+ \(404\)/),
  });
  place.server.once(answer(403));
  await expect(open(place.location)).rejects.toMatchObject({ code: "permission_denied" });
  expect(place.server.requests).toHaveLength(2);
});

test("redirects are followed, a few; not to other protocols, and not for ever", async () => {
  await using place = await serve();
  await using store = await serve();
  place.server.once(answer(302, { location: `${store.server.url}/model.safetensors?signature=secret` }));
  const source = await open(place.location);
  expect(source.byteLength).toBe(bytes.length);
  place.server.always(answer(302, { location: "/model.safetensors" }));
  await expect(open(place.location)).rejects.toThrow(/redirected more than 5 times/);
  place.server.faults.length = 0;
  place.server.always(answer(302, { location: "file:///etc/passwd" }));
  await expect(open(place.location)).rejects.toThrow(/redirected to something that is no web address/);
});

test("an empty file is no mystery", async () => {
  await using place = await serve(new Uint8Array());
  expect((await open(place.location)).byteLength).toBe(0);
});

test("after an abort nothing is handed over any more", async () => {
  await using place = await serve(large);
  const source = await open(place.location);
  const stop = new AbortController();
  let after = 0;
  const reading = source.read(
    0,
    large.length,
    () => {
      if (stop.signal.aborted) after++;
      else stop.abort(new Error("stopped"));
    },
    { signal: stop.signal },
  );
  await expect(reading).rejects.toThrow("stopped");
  const settled = after;
  await place.server[Symbol.asyncDispose]();
  expect(after).toBe(settled);
});

test("small steps through a file share requests; jumps read what they ask for", async () => {
  await using place = await serve(large);
  const source = readAhead(await open(place.location));
  place.server.requests.length = 0;
  place.server.sentBytes = 0;
  const step = 300_000;
  for (let at = 0; at < large.length; at += step) {
    const end = Math.min(at + step, large.length);
    expect((await read(source, at, end)).equals(large.subarray(at, end))).toBe(true);
  }
  expect(place.server.sentBytes).toBe(large.length - 65_536);
  expect(place.server.requests.length).toBeLessThan(5);
  place.server.sentBytes = 0;
  for (const at of [9_000_000, 5_000_000, 1_000_000]) await read(source, at, at + 1000);
  expect(place.server.sentBytes).toBe(3000);
});
