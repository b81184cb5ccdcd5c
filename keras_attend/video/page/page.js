"use strict";
// Draws boxes on a frame, sends them, and shows how they are followed.

const COLOURS = [
  "#40e640", "#ffbe28", "#eb5feb", "#3cdce6", "#fafa78", "#be96ff", "#ff966e", "#f0f0f0",
];
const SMALLEST = 2; // the side of a box, in pixels of the frame
const ENDED = "keras-attend has ended. This page can be closed.";
const me = crypto.getRandomValues(new Uint32Array(2)).join("-");
const part = (id) => document.getElementById(id);
const svg = part("boxes");

let state = { phase: "wait", number: -1, width: 0, height: 0 };
let boxes = []; // [x, y, w, h] each, in pixels of the frame
let corner = null; // where the pointer went down
let growing = null; // the box that is being drawn

function element(name, attributes, text) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  if (text) made.textContent = text;
  return made;
}

function drawBoxes() {
  const pixel = state.width / (svg.clientWidth || 1); // of the screen, in the frame's
  svg.replaceChildren();
  if (state.phase !== "draw") return;
  const all = growing ? [...boxes, growing] : boxes;
  all.forEach(([x, y, width, height], index) => {
    const colour = COLOURS[index % COLOURS.length];
    const place = { x, y, width, height };
    svg.append(element("rect", { ...place, class: "rim" }));
    svg.append(element("rect", { ...place, stroke: colour }));
    const size = 16 * pixel;
    const above = y > 1.3 * size ? y - 0.35 * size : y + 1.05 * size;
    const words = {
      x: x + (y > 1.3 * size ? 0 : 0.4 * size), y: above,
      fill: colour, "font-size": size, "stroke-width": 3 * pixel,
    };
    svg.append(element("text", words, String(index + 1)));
  });
  part("list").replaceChildren(...boxes.map(([x, y, width, height]) => {
    const line = document.createElement("li");
    line.textContent = `${width} × ${height} pixels at ${x}, ${y}`;
    return line;
  }));
  part("undo").disabled = part("clear").disabled = boxes.length === 0;
  part("go").disabled = boxes.length === 0;
  const many = boxes.length > 1 ? `${boxes.length} objects` : "the object";
  part("go").textContent = boxes.length ? `Follow ${many}` : "Follow";
}

// Where a pointer is, in whole pixels of the frame; beyond its edge counts as the edge.
function place(event) {
  const { left, top, width, height } = svg.getBoundingClientRect();
  const x = ((event.clientX - left) / width) * state.width;
  const y = ((event.clientY - top) / height) * state.height;
  const within = (value, limit) => Math.round(Math.min(Math.max(value, 0), limit));
  return [within(x, state.width), within(y, state.height)];
}

function grow(event) {
  const [x, y] = place(event);
  const box = [Math.min(x, corner[0]), Math.min(y, corner[1])];
  growing = [...box, Math.abs(x - corner[0]), Math.abs(y - corner[1])];
}

svg.addEventListener("pointerdown", (event) => {
  if (state.phase !== "draw" || !event.isPrimary || event.button !== 0) return;
  svg.setPointerCapture(event.pointerId);
  corner = place(event);
  growing = null;
  part("error").textContent = "";
  event.preventDefault();
});
svg.addEventListener("pointermove", (event) => {
  if (!corner || !event.isPrimary) return;
  grow(event);
  drawBoxes();
});
svg.addEventListener("pointerup", (event) => {
  if (!corner || !event.isPrimary) return;
  grow(event);
  if (Math.min(growing[2], growing[3]) >= SMALLEST) boxes.push(growing);
  else part("error").textContent = "Drag from one corner of the object to the other.";
  corner = growing = null;
  drawBoxes();
});
function drop() {
  corner = growing = null;
  drawBoxes();
}
svg.addEventListener("pointercancel", drop);

function undo() {
  boxes.pop();
  drawBoxes();
}
part("undo").addEventListener("click", undo);
part("clear").addEventListener("click", () => {
  boxes = [];
  drawBoxes();
});
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape") drop();
  if (event.key.toLowerCase() === "z" && (event.ctrlKey || event.metaKey)) undo();
});

async function send(name, content) {
  const answer = await fetch(name, { method: "POST", body: JSON.stringify(content) });
  const found = await answer.json();
  if (!answer.ok) part("error").textContent = found.error;
}
part("go").addEventListener("click", () => send("boxes", boxes).catch(() => {}));
part("stop").addEventListener("click", () => {
  part("stop").disabled = true;
  send("stop", null).catch(() => {});
});

const TITLES = {
  draw: "Draw a box around each object to follow",
  wait: "One moment",
  live: "Following",
  done: "Done",
};
const HINTS = {
  draw: "Drag across an object with the mouse or a finger, as close to its edges as you can.",
};

async function showPicture() {
  const answer = await fetch(`picture?number=${state.number}`);
  if (!answer.ok) return;
  const picture = await createImageBitmap(await answer.blob());
  const canvas = part("picture");
  if (canvas.width !== picture.width || canvas.height !== picture.height) {
    [canvas.width, canvas.height] = [picture.width, picture.height];
    part("stage").style.setProperty("--ratio", picture.width / picture.height);
    svg.setAttribute("viewBox", `0 0 ${picture.width} ${picture.height}`);
  }
  canvas.getContext("2d").drawImage(picture, 0, 0);
  part("stage").hidden = false;
  canvas.classList.toggle("enlarged", svg.clientWidth > 2 * picture.width);
}

function showState() {
  part("title").textContent = TITLES[state.phase];
  part("hint").textContent = HINTS[state.phase] || "";
  part("words").textContent = state.words;
  part("drawing").hidden = state.phase !== "draw";
  part("list").hidden = state.phase !== "draw";
  part("watching").hidden = state.phase !== "live";
  svg.classList.toggle("draws", state.phase === "draw");
  drawBoxes();
}

async function follow() {
  while (state.phase !== "done") {
    const answer = await fetch(`state?page=${me}&known=${state.number}`);
    const before = state.phase;
    state = await answer.json();
    if (state.phase !== before) part("error").textContent = "";
    if (state.width) await showPicture();
    showState();
  }
  // Its answer tells the server that this page has shown the last picture.
  await fetch(`state?page=${me}&known=-1&shown=${state.number}`);
}

follow().catch(() => {
  if (state.phase === "done") return;
  part("title").textContent = "Ended";
  part("words").textContent = ENDED;
  part("hint").textContent = "";
  part("drawing").hidden = part("watching").hidden = part("list").hidden = true;
  state.phase = "done";
  drawBoxes();
});
window.addEventListener("resize", drawBoxes);
window.addEventListener("pagehide", () => navigator.sendBeacon(`closed?page=${me}`));
window.addEventListener("pageshow", (event) => {
  if (event.persisted) location.reload();
});
