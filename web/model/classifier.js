/** Classify pictures by a few glimpses: a RAM that `keras_attend.export` wrote. */

import { description, fetchChecked } from "./file.js";
import { createSession, tensor } from "./session.js";

/**
 * A RAM whose network runs in this page.
 *
 *     const ram = await Classifier.load("models/ram_cluttered_mnist.onnx");
 *     const { probabilities, locations } = await ram.look(image, [0, 0]);
 */
export class Classifier {
  /** Load a RAM from a file; see `Tracker.load`. */
  static async load(url, expected = {}) {
    const content = await fetchChecked(url, expected);
    const about = description(content, "classifier");
    for (const name of ["logits", "locations", "glimpses"]) {
      if (!about.outputs.includes(name)) {
        throw new Error(`The file must be a RAM's. Received: ${about.family}, which has ` +
          `no ${name}`);
      }
    }
    return new Classifier(await createSession(content), about);
  }

  #session;
  #last = Promise.resolve(); // a session does one thing at a time

  constructor(session, about) {
    this.#session = session;
    /** What the file says of the model: family, channels, size, ... */
    this.about = about;
  }

  /**
   * Look at one grey picture.
   *
   * @param {{data: Uint8Array, width: number, height: number}} image
   * @param {[number, number]} first where the first glimpse is, x and y; -1, -1 is the
   *   top-left corner and 1, 1 the bottom-right one.
   * @returns {Promise<{probabilities: number[], locations: number[][],
   *   glimpses: {data: Float32Array, dims: readonly number[]}}>}
   *   How likely each class is; where each glimpse was, as `first` is given; and the
   *   glimpses, 1 x T x size x size x scales, in 0..1.
   */
  async look({ data, width, height }, first) {
    // A copy: the worker takes what it is given.
    const numbers = this.about.dtype === "uint8" ? Uint8Array.from(data)
      : Float32Array.from(data, (x) => x / 255);
    const images = tensor(numbers, [1, height, width, 1]);
    const run = () => this.#session.run({
      images, first_location: tensor(Float32Array.from(first), [1, 2]),
    });
    this.#last = this.#last.then(run, run);
    const found = await this.#last;
    const flat = Array.from(found.locations.data);
    return {
      probabilities: softmax(Array.from(found.logits.data)),
      locations: flat.flatMap((x, i) => (i % 2 === 0 ? [[x, flat[i + 1]]] : [])),
      glimpses: found.glimpses,
    };
  }
}

/** Return numbers in 0..1 that add up to 1, in proportion to the exponentials. */
export function softmax(logits) {
  const largest = Math.max(...logits);
  const powers = logits.map((z) => Math.exp(z - largest));
  const total = powers.reduce((a, b) => a + b, 0);
  return powers.map((p) => p / total);
}
