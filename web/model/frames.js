/** Make of pictures the numbers that models take. */

const GREY = [19595, 38470, 7471]; // Pillow's weights of red, green and blue, / 65536

/**
 * @typedef {object} Frame
 * @property {Uint8Array | Uint8ClampedArray} data rows of pixels, each `channels` bytes.
 * @property {number} width
 * @property {number} height
 * @property {1 | 3 | 4} channels grey; red, green, blue; the same and opacity.
 */

let canvas;

/**
 * Return the pixels of a picture.
 *
 * @param {any} source what a canvas can draw (a video, an image, another canvas, a
 *   bitmap), `ImageData`, or a `Frame`.
 * @returns {Frame}
 */
export function frameOf(source) {
  if (source?.data !== undefined && source.width > 0 && source.height > 0) {
    const channels = source.channels ?? 4;
    const { data, width, height } = source;
    if (![1, 3, 4].includes(channels) || data.length !== width * height * channels) {
      throw new Error("A frame must have `width` * `height` * `channels` bytes, and 1, 3 " +
        `or 4 channels. Received: ${data.length} bytes, ${width}x${height}, ` +
        `channels=${channels}`);
    }
    return { data, width, height, channels };
  }
  const [width, height] = sizeOf(source);
  canvas ??= document.createElement("canvas").getContext("2d",
    { alpha: false, willReadFrequently: true });
  if (canvas.canvas.width !== width || canvas.canvas.height !== height) {
    Object.assign(canvas.canvas, { width, height });
  }
  canvas.drawImage(source, 0, 0, width, height);
  const { data } = canvas.getImageData(0, 0, width, height);
  return { data, width, height, channels: 4 };
}

/** Return the width and height of what a canvas can draw. */
export function sizeOf(source) {
  const width = source?.videoWidth ?? source?.naturalWidth ?? source?.width;
  const height = source?.videoHeight ?? source?.naturalHeight ?? source?.height;
  if (!(width > 1 && height > 1)) {
    throw new Error("A frame must be a picture of at least two rows and columns. " +
      `Received: ${source} of size ${width}x${height}`);
  }
  return [width, height];
}

/**
 * Return a frame's numbers as a model takes them.
 *
 * @param {Frame} frame
 * @param {{channels: 1 | 3, dtype: "uint8" | "float32"}} model
 */
export function numbersOf(frame, { channels, dtype }) {
  const bytes = withChannels(frame, channels);
  return dtype === "uint8" ? bytes : Float32Array.from(bytes, (x) => x / 255);
}

function withChannels({ data, width, height, channels }, wanted) {
  const count = width * height;
  const found = new Uint8Array(count * wanted);
  const [g, b] = channels === 1 ? [0, 0] : [1, 2];
  for (let i = 0, from = 0, to = 0; i < count; i++, from += channels, to += wanted) {
    if (wanted === 3) {
      found[to] = data[from];
      found[to + 1] = data[from + g];
      found[to + 2] = data[from + b];
    } else if (channels === 1) {
      found[to] = data[from];
    } else {
      found[to] = (data[from] * GREY[0] + data[from + 1] * GREY[1] +
        data[from + 2] * GREY[2] + 32768) >>> 16;
    }
  }
  return found;
}
