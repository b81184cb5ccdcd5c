/** Pictures for a RAM: a digit somewhere on a black ground, among pieces of others. */

/** @typedef {{data: Uint8Array, width: number, height: number}} Grey */

/**
 * Return a drawing as MNIST has its digits: 20 pixels long, with its centre of mass in
 * the middle of 28 x 28 pixels. Return null if nothing is drawn.
 *
 * @param {Grey} drawing white on black, of any size.
 * @returns {Grey | null}
 */
export function normalised(drawing) {
  const ink = extent(drawing);
  if (ink === null) return null;
  const { left, top, width, height } = ink;
  const scale = 20 / Math.max(width, height);
  const small = shrunk(drawing, ink, Math.max(1, Math.round(width * scale)),
    Math.max(1, Math.round(height * scale)));
  let [mass, x, y] = [0, 0, 0];
  small.data.forEach((value, i) => {
    mass += value;
    x += value * ((i % small.width) + 0.5);
    y += value * (Math.floor(i / small.width) + 0.5);
  });
  const digit = { data: new Uint8Array(28 * 28), width: 28, height: 28 };
  const inside = (at, size) => Math.min(Math.max(Math.round(at), 0), 28 - size);
  paste(digit, small, inside(14 - x / mass, small.width), inside(14 - y / mass, small.height));
  return digit;
}

/** Return the smallest rectangle that holds all that is drawn. */
function extent({ data, width, height }) {
  let [left, top, right, bottom] = [width, height, -1, -1];
  for (let i = 0; i < data.length; i++) {
    if (data[i] < 32) continue;
    const [x, y] = [i % width, Math.floor(i / width)];
    left = Math.min(left, x);
    right = Math.max(right, x);
    top = Math.min(top, y);
    bottom = Math.max(bottom, y);
  }
  if (right < 0) return null;
  return { left, top, width: right - left + 1, height: bottom - top + 1 };
}

/** Return a part of a picture in another size, each pixel a mean of those under it. */
function shrunk({ data, width }, part, columns, rows) {
  const found = new Uint8Array(columns * rows);
  for (let i = 0; i < found.length; i++) {
    const [x0, x1] = span(part.left, part.width, i % columns, columns);
    const [y0, y1] = span(part.top, part.height, Math.floor(i / columns), rows);
    let total = 0;
    for (let y = y0; y < y1; y++) {
      for (let x = x0; x < x1; x++) total += data[y * width + x];
    }
    found[i] = Math.round(total / ((x1 - x0) * (y1 - y0)));
  }
  return { data: found, width: columns, height: rows };
}

/** Return the pixels, at least one, that the i-th of `count` parts of a length has. */
function span(start, length, i, count) {
  const from = Math.floor((length * i) / count);
  const to = Math.max(from + 1, Math.floor((length * (i + 1)) / count));
  return [start + from, start + to];
}

/** Put a picture into a larger one; the brighter of two pixels remains. */
export function paste(ground, { data, width }, left, top) {
  data.forEach((value, i) => {
    const at = (top + Math.floor(i / width)) * ground.width + left + (i % width);
    ground.data[at] = Math.max(ground.data[at], value);
  });
}

/**
 * Draw pieces of digits, and where they lie, as `ClutteredDigits` does.
 *
 * @param {Grey[]} digits
 * @param {number} count
 * @param {number} side of the scene.
 * @param {number} size of a piece's side.
 */
export function drawPieces(digits, count, side, size = 8) {
  return Array.from({ length: count }, () => {
    const { data, width, height } = digits[below(digits.length)];
    const [x, y] = [below(width - size + 1), below(height - size + 1)];
    const piece = new Uint8Array(size * size).map(
      (_, i) => data[(y + Math.floor(i / size)) * width + x + (i % size)]);
    const picture = { data: piece, width: size, height: size };
    return { picture, left: below(side - size + 1), top: below(side - size + 1) };
  });
}

/** Return a whole number, 0 or more and less than n, each as likely. */
export function below(n) {
  return Math.floor(Math.random() * n);
}
