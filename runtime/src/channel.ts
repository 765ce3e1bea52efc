/**
 * A single-consumer queue between a producer that pushes and a consumer that iterates: what a gRPC session handler
 * yields from while events arrive from elsewhere. Not a broadcast, and not durable.
 */

/** The producing side is `push`/`send`/`close`; the consuming side is the async iterator (use it once). */
export interface Channel<T> extends AsyncIterable<T> {
  /** Adds a value whatever the room. Returns false when the consumer has gone or the channel is closed. */
  push(value: T): boolean;
  /** Adds a value when there is room. Resolves to false when the consumer has gone or the channel is closed. */
  send(value: T): Promise<boolean>;
  /** Ends the iteration after what was added before; with an error, the iteration ends by throwing it. */
  close(error?: Error): void;
  /** Values added and not yet consumed. */
  readonly size: number;
}

/**
 * @param capacity `send` waits while more than this many values are held (default: no limit).
 */
export function createChannel<T>({ capacity = Number.POSITIVE_INFINITY }: { capacity?: number } = {}): Channel<T> {
  const values: T[] = [];
  const senders: ((accepted: boolean) => void)[] = [];
  let reader: PromiseWithResolvers<IteratorResult<T>> | undefined;
  let closed = false;
  let failure: Error | undefined;

  const end = (): Promise<IteratorResult<T>> => {
    if (failure === undefined) return Promise.resolve({ done: true, value: undefined });
    const error = failure;
    failure = undefined;
    return Promise.reject(error);
  };
  const push = (value: T): boolean => {
    if (closed) return false;
    if (reader === undefined) values.push(value);
    else {
      reader.resolve({ done: false, value });
      reader = undefined;
    }
    return true;
  };
  const close = (error?: Error): void => {
    if (closed) return;
    closed = true;
    failure = error;
    for (const resolve of senders.splice(0)) resolve(true);
    reader?.resolve(end());
    reader = undefined;
  };

  return {
    push,
    send(value) {
      if (!push(value)) return Promise.resolve(false);
      if (values.length <= capacity) return Promise.resolve(true);
      return new Promise((resolve) => senders.push(resolve));
    },
    close,
    get size() {
      return values.length;
    },
    [Symbol.asyncIterator]() {
      return {
        next() {
          if (values.length > 0) {
            const value = values.shift() as T;
            if (values.length <= capacity) for (const resolve of senders.splice(0)) resolve(true);
            return Promise.resolve({ done: false, value });
          }
          if (closed) return end();
          if (reader !== undefined) return Promise.reject(new TypeError("a channel has one reader at a time"));
          reader = Promise.withResolvers();
          return reader.promise;
        },
        return() {
          values.length = 0;
          for (const resolve of senders.splice(0)) resolve(false);
          close();
          failure = undefined;
          return Promise.resolve({ done: true, value: undefined });
        },
      };
    },
  };
}
