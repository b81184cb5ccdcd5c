/** Follow one object through frames, as `keras_attend_runtime.Tracker` does. */

import { description, fetchChecked } from "./file.js";
import { frameOf, numbersOf } from "./frames.js";
import { createSession, flag, tensor } from "./session.js";

/**
 * A tracker whose network runs in this page.
 *
 *     const tracker = await Tracker.load("models/hart_kitti.onnx");
 *     await tracker.init(frame, [x, y, width, height]);
 *     const { present, box } = await tracker.update(nextFrame);
 *
 * Frames are videos, images, canvases, bitmaps, `ImageData`, or bytes (`Frame` in
 * frames.js). Boxes are in the frame's pixels, the top-left corner first.
 */
export class Tracker {
  /**
   * Load a tracker from the ONNX file that `keras_attend.export` wrote.
   *
   * @param {string | URL} url
   * @param {{bytes?: number, sha256?: string}} expected of the file; see `fetchChecked`.
   */
  static async load(url, expected = {}) {
    const content = await fetchChecked(url, expected);
    const about = description(content, "tracker");
    if (about.objects !== 1) {
      throw new Error("The file must follow one object: `export` it without `many`. " +
        `Received: objects=${about.objects}`);
    }
    return new Tracker(await createSession(content), about);
  }

  #session;
  #state = null;
  #size = null;
  #busy = false;

  constructor(session, about) {
    this.#session = session;
    /** What the file says of the model: family, channels, size, states, ... */
    this.about = about;
    /** All that the network returned for the last frame: `{name: {data, dims}}`. */
    this.outputs = null;
  }

  /**
   * Begin to follow the object in a box.
   *
   * @param {any} frame
   * @param {number[]} box x, y, width, height.
   */
  async init(frame, box) {
    const pixels = frameOf(frame);
    const { height, width } = pixels;
    checkBox(box, height, width);
    const size = this.about.size;
    if (size !== null && (size[0] !== height || size[1] !== width)) {
      throw new Error(`The file was exported for frames of height and width ${size}. ` +
        `Received: height ${height}, width ${width}`);
    }
    const states = Object.entries(this.about.states).map(([name, shape]) => [
      name, tensor(new Float32Array(shape.reduce((a, b) => a * b, 1)), shape),
    ]);
    await this.#alone(() => this.#step(pixels, {
      first: flag(true),
      first_box: tensor(Float32Array.from(box), [1, 4]),
      ...Object.fromEntries(states),
    }));
    this.#size = [height, width];
  }

  /**
   * Follow the object to the next frame.
   *
   * @param {any} frame of the first one's height and width.
   * @returns {Promise<{present: boolean, presence: number | null, box: number[]}>}
   *   Whether the object is there, how likely that is (null if the model does not say),
   *   and its box.
   */
  async update(frame) {
    if (this.#size === null) {
      throw new Error("The tracker does not know yet what to follow: call `init(frame, " +
        "box)` before `update(frame)`.");
    }
    const pixels = frameOf(frame);
    const { height, width } = pixels;
    if (height !== this.#size[0] || width !== this.#size[1]) {
      throw new Error("A frame must have the height and width of the first one, " +
        `${this.#size}. Received: height ${height}, width ${width}`);
    }
    const unused = tensor(new Float32Array(4), [1, 4]);
    await this.#alone(() => this.#step(pixels, {
      first: flag(false), first_box: unused, ...this.#state,
    }));
    const box = Array.from(this.outputs.box.data);
    const presence = this.about.presence ? this.outputs.presence.data[0] : null;
    const seen = presence === null || presence > 0.5;
    return { present: seen && overlaps(box, height, width), presence, box };
  }

  /** Free the memory of the network. */
  async release() {
    await this.#alone(() => this.#session.release());
  }

  async #step(pixels, inputs) {
    const { height, width } = pixels;
    const { channels } = this.about;
    const frame = tensor(numbersOf(pixels, this.about), [1, height, width, channels]);
    const found = await this.#session.run({ frame, ...inputs });
    this.#state = {};
    this.outputs = {};
    for (const [name, x] of Object.entries(found)) {
      if (name.startsWith("next_")) this.#state[name.slice("next_".length)] = x;
      else this.outputs[name] = x;
    }
  }

  /** A state belongs to one frame: no two steps may run at once. */
  async #alone(work) {
    if (this.#busy) {
      throw new Error("The tracker is at work on another frame: await the last call.");
    }
    this.#busy = true;
    try {
      return await work();
    } finally {
      this.#busy = false;
    }
  }
}

/** Throw an error unless a box is one that can be followed in a frame. */
export function checkBox(box, height, width) {
  const numbers = Array.from(box ?? []);
  if (numbers.length !== 4 || !numbers.every(Number.isFinite)) {
    throw new Error("`box` must be four finite numbers, x, y, width, height. " +
      `Received: [${numbers}]`);
  }
  if (numbers[2] <= 0 || numbers[3] <= 0) {
    throw new Error(`\`box\` must have a width and a height. Received: [${numbers}]`);
  }
  if (!overlaps(numbers, height, width)) {
    throw new Error(`\`box\` must overlap the frame of height ${height} and width ` +
      `${width}. Received: [${numbers}]`);
  }
}

/** Return whether a box is finite, has an area and overlaps the frame. */
export function overlaps([x, y, w, h], height, width) {
  return w > 0 && h > 0 && w + h < Infinity && -w < x && x < width && -h < y && y < height;
}
