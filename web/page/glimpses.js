/** Draw where a RAM looked, and what it saw there. */

const PATH = "#ffd54a";
const PATCHES = ["#2fe06b", "#5db7ff", "#ff9f6b"]; // the finest first

/**
 * Draw a scene and the glimpses up to one.
 *
 * @param {HTMLCanvasElement} canvas
 * @param {import("./scene.js").Grey} scene
 * @param {number[][]} locations x and y of each glimpse, in -1..1.
 * @param {number} t the glimpse to show, 0 the first; -1 for none.
 * @param {number} size a patch's pixels.
 */
export function drawPath(canvas, scene, locations, t, size) {
  const context = canvas.getContext("2d");
  const unit = canvas.width / scene.width;
  drawGrey(context, scene, canvas.width);
  if (t < 0) return;
  // The pixel around which a retina's patches lie.
  const centres = locations.map(([x, y]) => [
    Math.trunc(((x + 1) / 2) * scene.width), Math.trunc(((y + 1) / 2) * scene.height),
  ]);
  const [x, y] = centres[t];
  PATCHES.forEach((colour, k) => {
    const side = size * 2 ** k;
    const [left, top] = [x - side / 2, y - side / 2];
    context.lineWidth = 2;
    context.strokeStyle = colour;
    context.strokeRect(left * unit, top * unit, side * unit, side * unit);
  });
  context.strokeStyle = context.fillStyle = PATH;
  context.lineWidth = 2.5;
  context.beginPath();
  for (const centre of centres.slice(0, t + 1)) {
    context.lineTo(centre[0] * unit, centre[1] * unit);
  }
  context.stroke();
  centres.slice(0, t + 1).forEach((centre, i) => {
    context.beginPath();
    context.arc(centre[0] * unit, centre[1] * unit, i === t ? 6 : 3.5, 0, 2 * Math.PI);
    context.fill();
  });
}

/**
 * Draw one glimpse's patches, each in a canvas of its own.
 *
 * @param {HTMLCanvasElement[]} canvases
 * @param {{data: Float32Array, dims: readonly number[]}} glimpses 1 x T x rows x columns
 *   x scales.
 * @param {number} t
 */
export function drawPatches(canvases, { data, dims }, t) {
  const [, , rows, columns, scales] = dims;
  const size = rows * columns;
  canvases.forEach((canvas, k) => {
    const patch = new Uint8Array(size).map(
      (_, i) => 255 * data[(t * size + i) * scales + k]);
    drawGrey(canvas.getContext("2d"), { data: patch, width: columns, height: rows },
      canvas.width);
  });
}

/** Draw a grey picture with a side of so many pixels, its own as squares. */
export function drawGrey(context, { data, width, height }, side) {
  const image = new ImageData(width, height);
  data.forEach((value, i) => image.data.set([value, value, value, 255], 4 * i));
  const small = document.createElement("canvas");
  Object.assign(small, { width, height });
  small.getContext("2d").putImageData(image, 0, 0);
  context.imageSmoothingEnabled = false;
  context.drawImage(small, 0, 0, side, side);
}
