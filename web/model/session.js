/** Run ONNX files by onnxruntime-web: WebAssembly, one thread, all from one server. */

let ort; // loaded when a model is, for without WebAssembly it cannot even be read

/** Return an onnxruntime session of a file's content. */
export async function createSession(content) {
  if (typeof WebAssembly === "undefined") {
    throw new Error("This browser has no WebAssembly, or has it turned off: the models " +
      "cannot run. Current versions of Firefox, Chrome, Edge and Safari have it.");
  }
  ort ??= configured(await import("../ort/ort.js"));
  try {
    return await ort.InferenceSession.create(content, { executionProviders: ["wasm"] });
  } catch (error) {
    throw new Error(`onnxruntime-web cannot read the model: ${error.message ?? error}`,
      { cause: error });
  }
}

function configured(found) {
  const { wasm } = found.env;
  wasm.numThreads = 1; // several would need headers that few servers send
  wasm.proxy = true; // in a worker, so that the page answers while it computes
  wasm.wasmPaths = {
    wasm: new URL("../ort/ort-wasm-simd-threaded.wasm", import.meta.url).href,
  };
  return found;
}

/** Return a tensor of numbers of the given shape; a session must have been created. */
export function tensor(data, shape) {
  const type = data instanceof Uint8Array ? "uint8" : "float32";
  return new ort.Tensor(type, data, shape);
}

/** Return a tensor that is one truth value. */
export function flag(value) {
  return new ort.Tensor("bool", [value], []);
}
