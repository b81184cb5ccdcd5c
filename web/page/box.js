/** Let the visitor draw a box on a canvas, by mouse, pen or finger. */

const LEAST = 4; // pixels of a side; what is smaller was a click

/**
 * @param {HTMLCanvasElement} canvas
 * @param {{begin: () => boolean, move: (box: number[]) => void,
 *   end: (box: number[] | null) => void}} on `begin` says whether a box may be drawn now,
 *   `move` gets the box so far, `end` the whole one, or null if it is too small.
 */
export function drawBoxes(canvas, on) {
  let corner = null;

  const place = (event) => {
    const seen = canvas.getBoundingClientRect();
    const x = ((event.clientX - seen.left) / seen.width) * canvas.width;
    const y = ((event.clientY - seen.top) / seen.height) * canvas.height;
    return [Math.min(Math.max(x, 0), canvas.width), Math.min(Math.max(y, 0), canvas.height)];
  };
  const boxTo = ([x, y]) => [
    Math.min(x, corner[0]), Math.min(y, corner[1]),
    Math.abs(x - corner[0]), Math.abs(y - corner[1]),
  ];

  canvas.addEventListener("pointerdown", (event) => {
    if (event.button !== 0 || !on.begin()) return;
    event.preventDefault();
    canvas.setPointerCapture(event.pointerId);
    corner = place(event);
  });
  canvas.addEventListener("pointermove", (event) => {
    if (corner !== null) on.move(boxTo(place(event)));
  });
  canvas.addEventListener("pointerup", (event) => {
    if (corner === null) return;
    const box = boxTo(place(event));
    corner = null;
    on.end(box[2] >= LEAST && box[3] >= LEAST ? box : null);
  });
  canvas.addEventListener("pointercancel", () => {
    if (corner !== null) on.end(null);
    corner = null;
  });
}
