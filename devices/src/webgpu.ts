// Runs WGSL kernels on a WebGPU adapter through Dawn (the `webgpu` package): Vulkan, Metal or Direct3D.
import { compileWgsl, type Program, type Scalars, WGSL_RAN, type WgslKernel } from "@amalgam/kernels";
import type { Device, DeviceWindow } from "./device.ts";
import { ResidentInputs } from "./resident-inputs.ts";

const FLAG_BYTES = 4;

// Dawn's instance must stay reachable: when it is collected while a device lives the process aborts.
let instance: GPU | undefined;

async function gpu(): Promise<GPU> {
  const { create, globals } = await import("webgpu");
  Object.assign(globalThis, globals);
  instance ??= create([]);
  return instance;
}

const describe = ({ vendor, architecture, device, description }: GPUAdapterInfo): string =>
  description || [vendor, architecture, device].filter(Boolean).join(" ") || "unnamed adapter";

/**
 * Opens the machine's fastest adapter.
 * @param residentBytes bound on inputs kept on the device between merges
 * @throws Error when there is no adapter, or the `webgpu` package has no build for this platform
 */
export async function openWebGpu(residentBytes: number): Promise<Device> {
  const adapter = await (await gpu()).requestAdapter({ powerPreference: "high-performance" });
  if (adapter === null) throw new Error("no WebGPU adapter: this machine has no GPU that Dawn can use, or no driver");
  const { maxBufferSize, maxStorageBufferBindingSize } = adapter.limits;
  const device = await adapter.requestDevice({ requiredLimits: { maxBufferSize, maxStorageBufferBindingSize } });
  return new WebGpuDevice(device, describe(adapter.info), residentBytes);
}

interface Pipeline {
  readonly kernel: WgslKernel;
  readonly pipeline: GPUComputePipeline;
}

class WebGpuDevice implements Device {
  readonly backend = "webgpu";
  readonly description: string;
  private readonly device: GPUDevice;
  private readonly pipelines = new Map<Program, Promise<Pipeline>>();
  private readonly resident: ResidentInputs<GPUBuffer>;
  private problem = "it did not say why";

  constructor(device: GPUDevice, description: string, residentBytes: number) {
    this.device = device;
    this.description = description;
    this.resident = new ResidentInputs(residentBytes, (buffer) => buffer.destroy());
    void device.lost.then(({ message, reason }) => {
      this.problem = `it was lost: ${message || reason}`;
    });
    device.onuncapturederror = ({ error }) => {
      this.problem = error.message;
    };
  }

  forget(owner: number): void {
    this.resident.forget(owner);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.resident.clear();
    this.device.destroy();
  }

  async merge(program: Program, window: DeviceWindow, scalars: Scalars): Promise<boolean> {
    const { kernel, pipeline } = await this.pipelineOf(program);
    const given = kernel.parameters(window, scalars);
    if (given === undefined) return false;
    const { STORAGE, COPY_SRC, COPY_DST, MAP_READ } = GPUBufferUsage;
    const outputBytes = (window.output.byteLength / window.elements) * Math.ceil(window.elements / 4) * 4;
    const create = (size: number, usage: number): GPUBuffer => this.device.createBuffer({ size, usage });
    const parameters = this.upload(given.byteLength, (bytes) => bytes.set(new Uint8Array(given.buffer)));
    const merged = create(outputBytes, STORAGE | COPY_SRC);
    const flag = create(FLAG_BYTES, STORAGE | COPY_SRC | COPY_DST);
    const readable = create(outputBytes + FLAG_BYTES, MAP_READ | COPY_DST);
    const arena = this.resident.use(program, window, () => this.uploadArena(kernel, window));
    try {
      const buffers = [parameters, arena.buffer, merged, flag];
      const bindings = this.device.createBindGroup({
        layout: pipeline.getBindGroupLayout(0),
        entries: buffers.map((buffer, binding) => ({ binding, resource: { buffer } })),
      });
      const commands = this.device.createCommandEncoder();
      const pass = commands.beginComputePass();
      pass.setPipeline(pipeline);
      pass.setBindGroup(0, bindings);
      pass.dispatchWorkgroups(Math.ceil(window.elements / kernel.workgroupElements));
      pass.end();
      commands.copyBufferToBuffer(merged, 0, readable, 0, outputBytes);
      commands.copyBufferToBuffer(flag, 0, readable, outputBytes, FLAG_BYTES);
      this.device.queue.submit([commands.finish()]);
      await readable.mapAsync(GPUMapMode.READ).catch(() => {
        throw this.failure();
      });
      const result = readable.getMappedRange();
      const state = new Uint32Array(result, outputBytes, 1)[0]!;
      if ((state & WGSL_RAN) === 0) throw this.failure();
      const trusted = state === WGSL_RAN;
      if (trusted) window.output.set(new Uint8Array(result, 0, window.output.byteLength));
      return trusted;
    } finally {
      arena.release();
      for (const buffer of [parameters, merged, flag, readable]) buffer.destroy();
    }
  }

  private failure(): Error {
    return new Error(`the WebGPU device failed: ${this.problem}`);
  }

  private pipelineOf(program: Program): Promise<Pipeline> {
    const found = this.pipelines.get(program) ?? this.createPipeline(compileWgsl(program));
    this.pipelines.set(program, found);
    return found;
  }

  private async createPipeline(kernel: WgslKernel): Promise<Pipeline> {
    const module = this.device.createShaderModule({ code: kernel.source });
    const compute = { module, entryPoint: "main" };
    return { kernel, pipeline: await this.device.createComputePipelineAsync({ layout: "auto", compute }) };
  }

  private uploadArena(kernel: WgslKernel, { inputs, elements }: DeviceWindow): { value: GPUBuffer; bytes: number } {
    const { offsets, words } = kernel.arena(elements);
    const value = this.upload(4 * words, (bytes) => {
      kernel.inputs.forEach((input, i) => {
        bytes.set(inputs[input]!, 4 * offsets[i]!);
      });
    });
    return { value, bytes: 4 * words };
  }

  private upload(size: number, fill: (bytes: Uint8Array) => void): GPUBuffer {
    const buffer = this.device.createBuffer({ size, usage: GPUBufferUsage.STORAGE, mappedAtCreation: true });
    fill(new Uint8Array(buffer.getMappedRange()));
    buffer.unmap();
    return buffer;
  }
}
