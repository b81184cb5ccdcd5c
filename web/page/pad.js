/** A black canvas on which the visitor draws in white. */

/**
 * @param {HTMLCanvasElement} canvas
 * @param {{begin: () => void, end: () => void}} on when a line begins and has ended.
 */
export function makePad(canvas, on) {
  const context = canvas.getContext("2d", { alpha: false, willReadFrequently: true });
  let last = null;

  const clear = () => {
    context.fillStyle = "black";
    context.fillRect(0, 0, canvas.width, canvas.height);
  };
  const place = (event) => {
    const seen = canvas.getBoundingClientRect();
    return [
      ((event.clientX - seen.left) / seen.width) * canvas.width,
      ((event.clientY - seen.top) / seen.height) * canvas.height,
    ];
  };
  const lineTo = (next) => {
    context.strokeStyle = "white";
    context.lineWidth = canvas.width / 13; // as thick as MNIST's lines are
    context.lineCap = context.lineJoin = "round";
    context.beginPath();
    context.moveTo(...last);
    context.lineTo(...next);
    context.stroke();
    last = next;
  };

  canvas.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    event.preventDefault();
    canvas.setPointerCapture(event.pointerId);
    on.begin();
    last = place(event);
    lineTo(last);
  });
  canvas.addEventListener("pointermove", (event) => {
    if (last !== null) lineTo(place(event));
  });
  for (const name of ["pointerup", "pointercancel"]) {
    canvas.addEventListener(name, () => {
      if (last !== null) on.end();
      last = null;
    });
  }
  clear();
  return {
    clear,
    context,
    /** Return what is drawn. */
    drawing() {
      const { width, height } = canvas;
      const { data } = context.getImageData(0, 0, width, height);
      const grey = new Uint8Array(width * height).map((_, i) => data[4 * i]);
      return { data: grey, width, height };
    },
  };
}
