/**
 * Moving messages between an async iterable and a call that may end at any moment, without waiting for an iterable that
 * hangs: the iterable is told by `return()` and left behind.
 */

/** The next value, or undefined as soon as `stop` aborts. Adds and removes its own listener, so nothing piles up. */
function nextUntil<T>(iterator: AsyncIterator<T>, stop: AbortSignal): Promise<IteratorResult<T> | undefined> {
  return new Promise((resolve, reject) => {
    const onStop = () => resolve(undefined);
    if (stop.aborted) return onStop();
    stop.addEventListener("abort", onStop, { once: true });
    const clear = () => stop.removeEventListener("abort", onStop);
    iterator.next().then(
      (result) => {
        clear();
        resolve(result);
      },
      (error) => {
        clear();
        reject(error);
      },
    );
  });
}

/** Tells the producer that nobody wants more. What it throws on its way out has no one to go to. */
function release(iterator: AsyncIterator<unknown>): void {
  iterator.return?.().then(undefined, () => {});
}

/**
 * Gives every message to `write`, one after the other, until they end, `write` resolves to false or `stop` aborts.
 * Rejects with what the messages or `write` throw.
 * @returns whether the messages ended by themselves.
 */
export async function pump<T>(
  messages: AsyncIterable<T>,
  write: (message: T) => Promise<boolean> | boolean,
  stop: AbortSignal,
): Promise<boolean> {
  const iterator = messages[Symbol.asyncIterator]();
  let ended = false;
  try {
    for (;;) {
      const result = await nextUntil(iterator, stop);
      if (result === undefined) return false;
      if (result.done) {
        ended = true;
        return true;
      }
      if (!(await write(result.value)) || stop.aborted) return false;
    }
  } finally {
    if (!ended) release(iterator);
  }
}

/** The same messages; throws the reason of `stop` as soon as it aborts, even while the source is silent. */
export async function* until<T>(messages: AsyncIterable<T>, stop: AbortSignal): AsyncGenerator<T, void, undefined> {
  const iterator = messages[Symbol.asyncIterator]();
  let ended = false;
  try {
    for (;;) {
      const result = await nextUntil(iterator, stop);
      if (result === undefined) throw stop.reason;
      if (result.done) {
        ended = true;
        return;
      }
      yield result.value;
    }
  } finally {
    if (!ended) release(iterator);
  }
}
