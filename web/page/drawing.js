/** Draw what a tracker saw: frame, box and window; glimpse; location map. */

import { softmax } from "../model/classifier.js";

const BOX = "#2fe06b";
const WINDOW = "#5db7ff";
const LOST = "#ff8c69";

/**
 * Draw a frame with the boxes on it.
 *
 * @param {CanvasRenderingContext2D} stage
 * @param {HTMLCanvasElement} film the frame; the stage has its size.
 * @param {{box?: number[], region?: number[], present?: boolean}} found
 */
export function drawStage(stage, film, { box, region, present = true }) {
  stage.drawImage(film, 0, 0);
  const unit = Math.max(film.width, film.height) / 320; // a line's width
  if (region) outline(stage, region, WINDOW, unit, [4 * unit, 3 * unit]);
  if (box) outline(stage, box, present ? BOX : LOST, 1.5 * unit, present ? [] : [2 * unit]);
}

/** Draw a rectangle that shows on light and on dark ground. */
function outline(context, [x, y, w, h], colour, width, dashes) {
  context.save();
  context.setLineDash(dashes);
  context.strokeStyle = "rgb(0 0 0 / 60%)";
  context.lineWidth = width * 2;
  context.strokeRect(x, y, w, h);
  context.strokeStyle = colour;
  context.lineWidth = width;
  context.strokeRect(x, y, w, h);
  context.restore();
}

/**
 * Draw the pixels that the network read.
 *
 * @param {HTMLCanvasElement} canvas
 * @param {{data: Float32Array, dims: readonly number[]}} glimpse 1 x rows x columns x
 *   channels, in 0..1.
 */
export function drawGlimpse(canvas, { data, dims }) {
  const [, rows, columns, channels] = dims;
  const last = channels - 1; // grey has one number for all three colours
  const image = new ImageData(columns, rows);
  for (let i = 0; i < rows * columns; i++) {
    for (let c = 0; c < 3; c++) {
      image.data[4 * i + c] = 255 * data[channels * i + Math.min(c, last)];
    }
    image.data[4 * i + 3] = 255;
  }
  Object.assign(canvas, { width: columns, height: rows });
  canvas.getContext("2d").putImageData(image, 0, 0);
}

/**
 * Draw how likely the object's middle is at each place of the window, over the glimpse.
 *
 * @param {HTMLCanvasElement} canvas
 * @param {HTMLCanvasElement} glimpse
 * @param {{data: Float32Array, dims: readonly number[]}} location logits, 1 x rows x
 *   columns.
 */
export function drawMap(canvas, glimpse, { data, dims }) {
  const [, rows, columns] = dims;
  const likely = softmax(Array.from(data));
  const most = Math.max(...likely);
  const heat = new ImageData(columns, rows);
  likely.forEach((p, i) => {
    const share = Math.sqrt(p / most); // so that less likely places show as well
    heat.data.set([255, 90 + 150 * share, 40 * share, 235 * share], 4 * i);
  });
  const small = document.createElement("canvas");
  Object.assign(small, { width: columns, height: rows });
  small.getContext("2d").putImageData(heat, 0, 0);

  Object.assign(canvas, { width: glimpse.width, height: glimpse.height });
  const context = canvas.getContext("2d");
  context.filter = "grayscale(1) brightness(0.6)";
  context.drawImage(glimpse, 0, 0);
  context.filter = "none";
  context.drawImage(small, 0, 0, canvas.width, canvas.height);
}
