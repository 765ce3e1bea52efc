// The wire: messages and services generated from the .proto files, and nothing else.
export * from "./gen/amalgam/v1/coordinator_pb.ts";
export * from "./gen/amalgam/v1/evaluation_pb.ts";
export * from "./gen/amalgam/v1/shard_pb.ts";
export * from "./gen/amalgam/v1/work_pb.ts";
