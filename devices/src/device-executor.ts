// An executor whose output pass runs on the device thread: to its caller, a compute thread, as synchronous as any other. What
// the device cannot do, or not be trusted with, the WebAssembly kernels do.
import { receiveMessageOnPort } from "node:worker_threads";
import { createExecutor, deviceObstacle, type Executor, type Program, type SharedMemory } from "@amalgam/kernels";
import {
  ANSWERED,
  type DeviceAnswer,
  type DeviceLink,
  type DeviceRequest,
  type MergeRequest,
  WAITING,
} from "./thread-protocol.ts";

/**
 * @param owner a number for inputs in this memory that stay as they are until `forgetOwner`: the device keeps them
 */
export function createDeviceExecutor(
  link: DeviceLink,
  program: Program,
  memory: SharedMemory,
  scratch: number,
  owner: number | undefined,
): Executor {
  const kernels = createExecutor(program, memory, scratch);
  if (deviceObstacle(program) !== undefined) return kernels;
  return {
    program,
    statistic: (stage, state, segment, scalars) => kernels.statistic(stage, state, segment, scalars),
    output(segment, scalars) {
      const { inputs, output, firstElement, elements } = segment;
      const trusted = ask(link, {
        ...{ kind: "merge", spec: program.spec, memory: memory.buffer as SharedArrayBuffer },
        ...{ inputs, output, first: firstElement, elements, owner, scalars },
      });
      return trusted ? 0 : kernels.output(segment, scalars);
    },
  };
}

/** Frees what the device keeps for an owner. */
export const forgetOwner = (link: DeviceLink, owner: number): void =>
  link.port.postMessage({ kind: "forget", owner } satisfies DeviceRequest);

function ask({ backend, port, signal }: DeviceLink, request: MergeRequest): boolean {
  port.postMessage(request);
  Atomics.wait(signal, 0, WAITING);
  if (Atomics.load(signal, 0) !== ANSWERED) throw new Error(`back-end ${backend}: the device thread ended`);
  Atomics.store(signal, 0, WAITING);
  const answer = receiveMessageOnPort(port)?.message as DeviceAnswer | undefined;
  if (answer?.kind === "merged") return answer.trusted;
  throw new Error(`back-end ${backend}: ${answer?.message ?? "no answer"}`);
}
