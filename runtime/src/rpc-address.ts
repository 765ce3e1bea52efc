/** "host:port" addresses of gRPC servers: IPv4, names, and IPv6 in brackets. */
import { isIPv6 } from "node:net";
import { hostname } from "node:os";
import { AmalgamError } from "./errors.ts";

export interface Address {
  /** Without brackets. */
  readonly host: string;
  readonly port: number;
}

/** @throws AmalgamError `invalid_argument` unless `address` is "host:port", "[v6]:port". */
export function parseAddress(address: string): Address {
  const match = /^(?:\[([^\]]+)\]|([^:[\]\s/]+)):(\d{1,5})$/.exec(address);
  const host = match?.[1] ?? match?.[2];
  const port = Number(match?.[3]);
  if (host === undefined || port > 65_535 || (match?.[1] !== undefined && !isIPv6(host)))
    throw new AmalgamError(
      "invalid_argument",
      `address ${JSON.stringify(address)}: must be host:port, like 127.0.0.1:7070 or [::1]:7070`,
    );
  return { host, port };
}

export function joinAddress(host: string, port: number): string {
  return isIPv6(host) ? `[${host}]:${port}` : `${host}:${port}`;
}

/** The address that others can dial of a server bound to this one: a wildcard becomes this machine's name. */
export function reachable(address: string): string {
  const { host, port } = parseAddress(address);
  return host === "0.0.0.0" || host === "::" ? joinAddress(hostname(), port) : address;
}

/** Whether only processes of this machine can reach a server bound to `host`. */
export function isLoopback(host: string): boolean {
  return host === "localhost" || host === "::1" || /^127(\.\d{1,3}){3}$/.test(host);
}
