/**
 * Clients of one service at many addresses, made when first asked for and kept. An address "local:<id>" is a service of
 * this very process; the caller of `get` cannot tell the difference.
 */
import type { DescService } from "@bufbuild/protobuf";
import { AmalgamError } from "./errors.ts";
import { createClient } from "./rpc-client.ts";
import { createLocalClient } from "./rpc-local.ts";
import type { ObserveOptions } from "./rpc-observe.ts";
import type { Client, OwnedClient, ServiceImpl } from "./rpc-wire.ts";

export interface ClientPoolOptions<S extends DescService> extends ObserveOptions {
  /** Services of this process by address ("local:worker-1"). Looked up at each `get`, so entries may come and go. */
  readonly local?: ReadonlyMap<string, ServiceImpl<S>>;
}

/** Disposing lets calls under way finish and closes all connections. */
export interface ClientPool<S extends DescService> extends AsyncDisposable {
  /** @throws AmalgamError `unavailable` for a local address that nobody serves, `invalid_argument` for a malformed one. */
  get(address: string): Client<S>;
}

/** Workers come and go; beyond this many the connection unused for longest is closed. */
const MAX_CONNECTIONS = 256;

export function createClientPool<S extends DescService>(
  service: S,
  { local = new Map(), ...observe }: ClientPoolOptions<S> = {},
): ClientPool<S> {
  const remote = new Map<string, OwnedClient<S>>();
  let disposed = false;

  const getLocal = (address: string): Client<S> => {
    const impl = local.get(address);
    if (impl === undefined)
      throw new AmalgamError("unavailable", `${address} does not serve ${service.typeName} in this process`);
    return createLocalClient(service, impl, observe);
  };
  const getRemote = (address: string): Client<S> => {
    const client = remote.get(address) ?? createClient(service, address);
    remote.delete(address);
    remote.set(address, client);
    const oldest = remote.size > MAX_CONNECTIONS ? remote.entries().next().value : undefined;
    if (oldest !== undefined) {
      remote.delete(oldest[0]);
      void oldest[1][Symbol.asyncDispose]();
    }
    return client;
  };
  return {
    get(address) {
      if (disposed) throw new AmalgamError("cancelled", "the client pool is closed");
      return address.startsWith("local:") ? getLocal(address) : getRemote(address);
    },
    async [Symbol.asyncDispose]() {
      disposed = true;
      await Promise.all(Array.from(remote.values(), (client) => client[Symbol.asyncDispose]()));
      remote.clear();
    },
  };
}
