/** What every Amalgam process needs: settings, logs, metrics, RPC, bus, life cycle. Knows nothing of merging. */
export { type BackoffOptions, backoffMs } from "./backoff.ts";
export { packBits, unpackBits } from "./bits.ts";
export type {
  Bus,
  BusOptions,
  DeadLetter,
  Delivery,
  QueueName,
  WorkQueue,
} from "./bus.ts";
export { type ConsumeOptions, consume, type Message } from "./bus-consume.ts";
export { createMemoryBus, type MemoryBusOptions } from "./bus-memory.ts";
export { createNatsBus, type NatsBusOptions } from "./bus-nats.ts";
export { type Channel, createChannel } from "./channel.ts";
export { type Clock, type PollOptions, poll, systemClock } from "./clock.ts";
export { type ConfigSources, loadConfig, variableOf } from "./config.ts";
export {
  AmalgamError,
  ERROR_CODES,
  type ErrorCode,
  exitCodeOf,
  isErrorCode,
  isPermanent,
  isRetryable,
  toAmalgamError,
} from "./errors.ts";
export { createHeldShards, type HeldShard, type HeldShards, type HeldShardsOptions } from "./held-shards.ts";
export {
  createLogger,
  type Logger,
  type LogLevel,
  type LogMethod,
  type LogOptions,
} from "./log.ts";
export { collectProcessMetrics, getOrRegister, type ProcessMetricsOptions, Registry } from "./metrics.ts";
export {
  findNatsServer,
  type NatsExecutable,
  type NatsServer,
  type NatsServerOptions,
  startNatsServer,
} from "./nats-server.ts";
export { nearest } from "./nearest.ts";
export { type OpsOptions, type OpsServer, serveOps } from "./ops-server.ts";
export { receiveShard } from "./receive-shard.ts";
export { type Address, joinAddress, parseAddress, reachable } from "./rpc-address.ts";
export { createClient } from "./rpc-client.ts";
export { createLocalClient } from "./rpc-local.ts";
export type { ObserveOptions } from "./rpc-observe.ts";
export { type ClientPool, type ClientPoolOptions, createClientPool } from "./rpc-pool.ts";
export { type RpcServer, type ServeOptions, serve } from "./rpc-server.ts";
export {
  type BoundService,
  bindService,
  type CallContext,
  type CallOptions,
  CHUNK_BYTES,
  type Client,
  MAX_RECEIVE_BYTES,
  type OwnedClient,
  type ServiceImpl,
} from "./rpc-wire.ts";
export { FRACTION_METRICS, formatScore, type ScoreScale, scaleOf } from "./score-scale.ts";
export { createShardService } from "./shard-service.ts";
export { untilAborted } from "./until-aborted.ts";
export { VERSION } from "./version.ts";
