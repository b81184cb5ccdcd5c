/** The second tab: a RAM reads a digit that the visitor has drawn, by a few glimpses. */

import { Classifier } from "../keras-attend-web.js";
import { attempts, once } from "./attempts.js";
import { drawGrey, drawPatches, drawPath } from "./glimpses.js";
import { messages } from "./messages.js";
import { loadModel } from "./models.js";
import { makePad } from "./pad.js";
import { below, drawPieces, normalised, paste } from "./scene.js";

const PRESET = "ram_cluttered_mnist";
const SIDE = 60; // of the scenes that it has learned from
const MAX_PIECES = 12;
const PAUSE = 450; // milliseconds for which a glimpse is shown

/** @param {(id: string) => HTMLElement} find */
export function digitsTab(find) {
  const tell = messages(find("digits-status"), find("digits-alert"));
  const patches = [0, 1, 2].map((k) => find(`patch-${k}`));
  const bars = makeBars(find("classes"));
  let digit = null; // the one to read, 28 x 28
  let place = [0, 0];
  let pieces = [];
  let scene = blank();
  let seen = null;
  let clock = null;
  let turns = 0; // only the last look is shown
  const network = once(() => loadModel(Classifier, PRESET));
  const readAll = once(() => readDigits("digits.png")); // MNIST's, whose pieces are clutter
  const attempt = attempts(tell, { before: () => stop() });

  /** Put the digit and the pieces elsewhere. */
  const scatter = async () => {
    const digits = await readAll();
    place = [below(SIDE - 28 + 1), below(SIDE - 28 + 1)];
    pieces = drawPieces(digits, MAX_PIECES, SIDE);
  };

  /** Look at the digit, from a random place on. */
  const look = async () => {
    turns += 1;
    const turn = turns;
    if (digit === null) {
      seen = null;
      scene = blank();
      show(-1);
      tell.say("Draw a digit.");
      return;
    }
    if (pieces.length === 0) await scatter();
    scene = blank();
    paste(scene, digit, ...place);
    for (const { picture, left, top } of pieces.slice(0, Number(find("clutter").value))) {
      paste(scene, picture, left, top);
    }
    tell.say("Looking…");
    const ram = await network();
    const found = await ram.look(scene, [2 * Math.random() - 1, 2 * Math.random() - 1]);
    if (turn !== turns) return;
    seen = found;
    find("step").max = String(seen.locations.length);
    play();
  };

  /** Show the glimpses one after the other; all at once to who wants no motion. */
  const play = () => {
    const last = seen.locations.length - 1;
    if (matchMedia("(prefers-reduced-motion: reduce)").matches) {
      show(last);
      return;
    }
    let t = 0;
    show(t);
    clock = setInterval(() => {
      t += 1;
      show(t);
      if (t >= last) stop();
    }, PAUSE);
  };

  const stop = () => {
    clearInterval(clock);
    clock = null;
  };

  const show = (t) => {
    const size = seen?.glimpses.dims[2];
    drawPath(find("scene"), scene, seen?.locations ?? [], t, size);
    for (const id of ["step", "look", "elsewhere"]) find(id).disabled = digit === null;
    find("step").value = String(t + 1);
    find("step-text").textContent = seen === null ? "–"
      : `${t + 1} of ${seen.locations.length}`;
    if (seen !== null) drawPatches(patches, seen.glimpses, t);
    else for (const canvas of patches) canvas.getContext("2d").reset();
    const done = seen !== null && t === seen.locations.length - 1;
    bars(done ? seen.probabilities : null);
    if (!done) return;
    const best = seen.probabilities.indexOf(Math.max(...seen.probabilities));
    find("answer").textContent = String(best);
    tell.say(`It reads a ${best} (${Math.round(100 * seen.probabilities[best])} %) after ` +
      `${seen.locations.length} glimpses.`);
  };

  const pad = makePad(find("pad"), {
    begin: stop,
    end: attempt(async () => {
      digit = normalised(pad.drawing());
      await look();
    }),
  });
  find("clear").addEventListener("click", attempt(async () => {
    pad.clear();
    digit = null;
    await look();
  }));
  find("given").addEventListener("click", attempt(async () => {
    const digits = await readAll();
    digit = digits[below(digits.length)];
    drawGrey(pad.context, digit, pad.context.canvas.width);
    await scatter();
    await look();
  }));
  find("elsewhere").addEventListener("click", attempt(async () => {
    await scatter();
    await look();
  }));
  find("look").addEventListener("click", attempt(look));
  find("clutter").addEventListener("input", attempt(async () => {
    find("clutter-text").textContent = find("clutter").value;
    await look();
  }));
  find("step").addEventListener("input", () => {
    stop();
    show(Number(find("step").value) - 1);
  });
  find("clutter").max = String(MAX_PIECES);
  find("clutter-text").textContent = find("clutter").value;
  show(-1);
}

function blank() {
  return { data: new Uint8Array(SIDE * SIDE), width: SIDE, height: SIDE };
}

/** Make a bar for each class; return what sets them. */
function makeBars(list) {
  const rows = Array.from({ length: 10 }, (_, n) => {
    const row = document.createElement("li");
    const bar = document.createElement("progress");
    const text = document.createElement("span");
    bar.max = 1;
    bar.setAttribute("aria-label", `how likely a ${n} is`);
    row.append(Object.assign(document.createElement("b"), { textContent: n }), bar, text);
    list.append(row);
    return { row, bar, text };
  });
  return (probabilities) => rows.forEach(({ row, bar, text }, n) => {
    const p = probabilities?.[n];
    bar.value = p ?? 0;
    text.textContent = p === undefined ? "–" : `${(100 * p).toFixed(1)} %`;
    row.classList.toggle("best", p === Math.max(...(probabilities ?? [NaN])));
    if (probabilities === null) document.getElementById("answer").textContent = "?";
  });
}

/** Read digits of 28 x 28 pixels from a picture that holds them one below the other. */
async function readDigits(url) {
  const response = await fetch(url);
  if (!response.ok) throw new Error(`${url} cannot be fetched: status ${response.status}`);
  const picture = await createImageBitmap(await response.blob(),
    { colorSpaceConversion: "none" });
  const canvas = document.createElement("canvas");
  Object.assign(canvas, { width: 28, height: picture.height });
  const context = canvas.getContext("2d");
  context.drawImage(picture, 0, 0);
  const { data } = context.getImageData(0, 0, 28, picture.height);
  const grey = new Uint8Array(data.length / 4).map((_, i) => data[4 * i]);
  return Array.from({ length: picture.height / 28 }, (_, n) => (
    { data: grey.subarray(28 * 28 * n, 28 * 28 * (n + 1)), width: 28, height: 28 }));
}
