// An executor whose output pass runs on the device thread: to its caller, a compute thread, as synchronous as any other. What
// the device cannot do, or not be trusted with, the WebAssembly kernels do.
import { receiveMessageOnPort } from "node:worker_threads";
import {
  createExecutor,
  deviceObstacle,
  dtypeBytes,
  type Executor,
  type OutputSegment,
  type Program,
  type SharedMemory,
} from "@amalgam/kernels";
import { MAX_WINDOW_ELEMENTS } from "./device.ts";
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
      let flags = 0;
      for (const window of windowsOf(program, segment)) {
        const { inputs, output, firstElement, elements } = window;
        const trusted = ask(link, {
          ...{ kind: "merge", spec: program.spec, memory: memory.buffer as SharedArrayBuffer },
          ...{ inputs, output, first: firstElement, elements, owner, scalars },
        });
        if (!trusted) flags |= kernels.output(window, scalars);
      }
      return flags;
    },
  };
}

function* windowsOf({ spec }: Program, segment: OutputSegment): Generator<OutputSegment> {
  for (let from = 0; from < segment.elements; from += MAX_WINDOW_ELEMENTS) {
    yield {
      inputs: segment.inputs.map((address, i) => address + from * dtypeBytes(spec.inputDtypes[i]!)),
      output: segment.output + from * dtypeBytes(spec.outputDtype),
      firstElement: segment.firstElement + from,
      elements: Math.min(MAX_WINDOW_ELEMENTS, segment.elements - from),
    };
  }
}

/** Frees what the device keeps for an owner. */
export const forgetOwner = (link: DeviceLink, owner: number): void =>
  link.port.postMessage({ kind: "forget", owner } satisfies DeviceRequest);

function ask({ backend, port, signal }: DeviceLink, request: MergeRequest): boolean {
  port.postMessage(request);
  Atomics.wait(signal, 0, WAITING);
  // In one step: the thread may end right after its answer, and nobody says so twice.
  if (Atomics.compareExchange(signal, 0, ANSWERED, WAITING) !== ANSWERED)
    throw new Error(`back-end ${backend}: the device thread ended`);
  const answer = receiveMessageOnPort(port)?.message as DeviceAnswer | undefined;
  if (answer?.kind === "merged") return answer.trusted;
  throw new Error(`back-end ${backend}: ${answer?.message ?? "no answer"}`);
}
