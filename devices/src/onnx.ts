// Runs a program's output pass as an ONNX graph on an execution provider of onnxruntime. A window is a session: its tensors
// are initializers, on the device for as long as the session lives, and a trial feeds scalars only.
import {
  buildProgram,
  compileOnnx,
  createExecutor,
  createMemory,
  type DTypeName,
  dtypeBytes,
  type Executor,
  ONNX_DATA,
  ONNX_OUTPUTS,
  type OnnxFeed,
  type OnnxGraph,
  type Program,
  type Scalars,
} from "@amalgam/kernels";
import type ort from "onnxruntime-node";
import { type Device, type DeviceWindow, MAX_WINDOW_ELEMENTS } from "./device.ts";
import { ResidentInputs } from "./resident-inputs.ts";

type Runtime = typeof ort;

const FATAL_ONLY = 4;

/** Names of the execution providers of the onnxruntime that is installed, "cpu" among them. */
export async function onnxProviders(): Promise<string[]> {
  const { listSupportedBackends } = await load();
  return listSupportedBackends().map(({ name }) => name);
}

// Loaded when first used: it is large, and most processes have no use for it.
const load = async (): Promise<Runtime> => {
  const { default: runtime } = await import("onnxruntime-node");
  // Errors are thrown too; it need not write them to stderr itself.
  runtime.env.logLevel = "fatal";
  return runtime;
};

/**
 * Opens an execution provider.
 * @param residentBytes bound on inputs kept in sessions between merges
 * @throws Error when the provider is not part of this onnxruntime, or does not start
 */
export async function openOnnx(provider: string, residentBytes: number): Promise<Device> {
  const runtime = await load();
  const known = runtime.listSupportedBackends().map(({ name }) => name);
  if (!known.includes(provider))
    throw new Error(`onnxruntime here has no execution provider "${provider}": it has ${known.join(", ")}`);
  const device = new OnnxDevice(runtime, provider, residentBytes);
  await device.merge(
    rounding("F32"),
    { inputs: [new Uint8Array(4)], output: new Uint8Array(4), first: 0, elements: 1, owner: undefined },
    SAME,
  );
  return device;
}

interface Loaded {
  readonly graph: OnnxGraph;
  readonly session: Promise<ort.InferenceSession>;
}

class OnnxDevice implements Device {
  readonly backend: string;
  readonly description: string;
  private readonly runtime: Runtime;
  private readonly provider: string;
  private readonly graphs = new Map<Program, Map<number, OnnxGraph>>();
  private readonly resident: ResidentInputs<Loaded>;
  private readonly packers = new Map<DTypeName, Packer>();

  constructor(runtime: Runtime, provider: string, residentBytes: number) {
    this.runtime = runtime;
    this.provider = provider;
    this.backend = `onnx:${provider}`;
    this.description = `onnxruntime ${runtime.env.versions.node}, ${provider} execution provider`;
    this.resident = new ResidentInputs(residentBytes, ({ session }) => {
      void session.then((opened) => opened.release()).catch(() => {});
    });
  }

  forget(owner: number): void {
    this.resident.forget(owner);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.resident.clear();
  }

  async merge(program: Program, window: DeviceWindow, scalars: Scalars): Promise<boolean> {
    const { Tensor } = this.runtime;
    const used = this.resident.use(program, window, () => this.open(program, window));
    try {
      const { graph, session } = used.buffer;
      const tensor = ({ type, data }: OnnxFeed): ort.Tensor => new Tensor(type, data as Float32Array, [data.length]);
      const feeds = graph.feeds(window.first, scalars).map((feed) => [feed.name, tensor(feed)] as const);
      const results = await (await session).run(Object.fromEntries(feeds));
      const merged = results[ONNX_OUTPUTS.merged]!;
      const check = results[ONNX_OUTPUTS.check]!;
      const trusted = (check.data as Float32Array)[0] === 0;
      const stored = trusted && this.packerOf(program.spec.outputDtype)(merged.data as Float32Array, window.output);
      merged.dispose();
      check.dispose();
      return stored;
    } finally {
      used.release();
    }
  }

  private open(program: Program, window: DeviceWindow): { value: Loaded; bytes: number } {
    const { elements, inputs } = window;
    const byElements = this.graphs.get(program) ?? new Map<number, OnnxGraph>();
    const graph = byElements.get(elements) ?? compileOnnx(program, elements);
    this.graphs.set(program, byElements.set(elements, graph));
    const data = new Uint8Array(graph.dataBytes);
    for (const { input, offset } of graph.inputs) data.set(inputs[input]!, offset);
    const session = this.runtime.InferenceSession.create(graph.model, {
      executionProviders: [this.provider],
      executionMode: "sequential",
      // Fusions may round differently, and folding would keep all that depends on inputs alone in float32.
      graphOptimizationLevel: "disabled",
      logSeverityLevel: FATAL_ONLY,
      externalData: [{ path: ONNX_DATA, data }],
    });
    // Whoever uses the session hears of a failure.
    session.catch(() => {});
    return { value: { graph, session }, bytes: graph.dataBytes };
  }

  private packerOf(dtype: DTypeName): Packer {
    const packer = this.packers.get(dtype) ?? createPacker(dtype);
    this.packers.set(dtype, packer);
    return packer;
  }
}

/** The program that only rounds float32 to a dtype, with these scalars. */
const rounding = (outputDtype: DTypeName): Program =>
  buildProgram({
    ...{ method: "passthrough", models: 1, hasBase: false, options: {}, inputDtypes: ["F32"] },
    outputDtype,
  });
const SAME: Scalars = { "scale[0]": 1 };

/** Rounds float32 to a dtype; false when a value is not finite, or not in the dtype. */
type Packer = (values: Float32Array, output: Uint8Array) => boolean;

function createPacker(outputDtype: DTypeName): Packer {
  const program = rounding(outputDtype);
  const scratch = program.scratchBytes + 16;
  const [input, output] = [scratch - (scratch % 16), scratch - (scratch % 16) + 4 * MAX_WINDOW_ELEMENTS];
  const memory = createMemory(output + dtypeBytes(outputDtype) * MAX_WINDOW_ELEMENTS);
  const executor: Executor = createExecutor(program, memory, 0);
  return (values, into) => {
    const elements = values.length;
    new Float32Array(memory.buffer, input, elements).set(values);
    const flags = executor.output({ inputs: [input], output, firstElement: 0, elements }, SAME);
    into.set(new Uint8Array(memory.buffer, output, into.byteLength));
    return flags === 0;
  };
}
