/** The first tab: choose a film, draw a box, watch the tracker follow it. */

import { Tracker } from "../keras-attend-web.js";
import { attempts, once } from "./attempts.js";
import { drawBoxes } from "./box.js";
import { drawGlimpse, drawMap, drawStage } from "./drawing.js";
import { messages } from "./messages.js";
import { loadModel } from "./models.js";
import { Results } from "./results.js";
import { openCamera, openPictures, openVideo } from "./sources.js";

const PRESET = "hart_kitti";
const MAX_SIDE = 1280; // of frames in pixels; larger ones are made smaller
const SAMPLE = { url: "sample.mp4", box: [191, 20, 34, 63] };

/** @param {(id: string) => HTMLElement} find */
export function followTab(find) {
  const stage = find("stage").getContext("2d");
  const film = document.createElement("canvas").getContext("2d",
    { alpha: false, willReadFrequently: true });
  const tell = messages(find("follow-status"), find("follow-alert"));
  const fields = ["x", "y", "w", "h"].map((name) => find(`box-${name}`));
  let source = null;
  let results = new Results();
  let run = null; // what stops the film that is being followed
  const tracker = once(() => loadModel(Tracker, PRESET));
  const attempt = attempts(tell, { after: () => enable() });

  const enable = () => {
    const ready = source !== null;
    for (const field of [...fields, find("follow")]) field.disabled = !ready;
    find("again").disabled = !ready || source.live;
    find("stop").disabled = run === null;
    find("download").disabled = results.length === 0;
    find("empty").hidden = ready;
  };

  /** Take a picture into `film`, in the size in which it is followed. */
  const take = (picture) => {
    film.drawImage(picture, 0, 0, film.canvas.width, film.canvas.height);
  };

  const halt = async () => {
    run?.stop.abort();
    await run?.done;
  };

  /** Put a box into the fields. */
  const fill = (box) => fields.forEach((field, i) => {
    field.value = String(Number(box[i].toFixed(2)));
  });

  /** Show another source's first frame. */
  const open = (opening, box = null) => attempt(async () => {
    await halt();
    tell.say("Opening…");
    const opened = await opening();
    source?.close();
    source = opened;
    const scale = Math.min(1, MAX_SIDE / Math.max(source.width, source.height));
    for (const canvas of [film.canvas, stage.canvas]) {
      canvas.width = Math.round(source.width * scale);
      canvas.height = Math.round(source.height * scale);
    }
    results = new Results();
    if (box !== null) fill(box);
    else for (const field of fields) field.value = "";
    if (source.live) preview();
    await showFirst();
  });

  const showFirst = async () => {
    await source.rewind();
    take(source.picture);
    const box = boxOfFields();
    drawStage(stage, film.canvas, { box });
    tell.say(box === null ? "Draw a box around an object."
      : "Press “Follow”, or draw another box.");
  };

  /** Show what the camera sees until a box is drawn. */
  const preview = () => {
    const camera = source;
    const show = () => {
      if (source !== camera || run !== null || camera.picture.paused) return;
      take(camera.picture);
      drawStage(stage, film.canvas, {});
      requestAnimationFrame(show);
    };
    requestAnimationFrame(show);
  };

  const boxOfFields = () => {
    if (fields.some((field) => field.value === "")) return null;
    return fields.map((field) => Number(field.value));
  };

  const follow = attempt(async () => {
    const box = boxOfFields();
    if (box === null) throw new Error("Draw a box around an object first.");
    await halt();
    const stop = new AbortController();
    let finish;
    run = { stop, done: new Promise((resolve) => { finish = resolve; }) };
    enable();
    try {
      tell.say("Loading the tracker…");
      await followed(await tracker(), box, stop.signal);
    } finally {
      run = null;
      finish();
      if (source.live) preview();
    }
  });

  /** Follow the box from the frame in `film` on. */
  const followed = async (network, box, signal) => {
    results = new Results(source.width / film.canvas.width);
    await network.init(frame(), box);
    results.add({ box, present: true, presence: null }, null);
    show(network, { box, present: true, presence: network.outputs.presence?.data[0] });
    let missed = 0;
    let pace = null; // a step's seconds, a mean of the last ones
    tell.say("Following.");
    for await (const next of source.frames(signal)) {
      take(next.picture);
      const before = performance.now();
      const found = await network.update(frame());
      const took = (performance.now() - before) / 1000;
      pace = pace === null ? took : 0.9 * pace + 0.1 * took;
      missed += next.missed;
      results.add(found, next.time);
      show(network, found, pace);
    }
    const gap = missed === 0 ? "" : ` ${missed} frames of the film were not seen.`;
    tell.say(`${signal.aborted ? "Stopped" : "Done"} after ${results.length} frames.${gap}`);
  };

  const frame = () => film.getImageData(0, 0, film.canvas.width, film.canvas.height);

  const show = (network, { box, present, presence }, pace = null) => {
    const { region, glimpse, location } = network.outputs;
    drawStage(stage, film.canvas, { box, present, region: region && Array.from(region.data) });
    if (glimpse) drawGlimpse(find("glimpse"), glimpse);
    if (glimpse && location) drawMap(find("map"), find("glimpse"), location);
    fill(box);
    find("rate").textContent = pace === null ? "–" : (1 / pace).toFixed(1);
    find("count").textContent = String(results.length);
    find("presence").value = presence ?? 0;
    find("presence-text").textContent = present
      ? `${percent(presence)}, in sight` : `${percent(presence)}, not in sight`;
  };

  const percent = (share) => (share === undefined || share === null ? "–"
    : `${Math.round(100 * share)} %`);

  let before = null; // the run that a new box ended
  drawBoxes(stage.canvas, {
    begin: () => {
      if (source === null) return false;
      before = halt();
      source.hold();
      return true;
    },
    move: (box) => drawStage(stage, film.canvas, { box }),
    end: async (box) => {
      await before;
      if (box !== null) {
        fill(box);
        await follow();
      } else if (source.live) {
        await source.rewind();
        preview();
      } else {
        drawStage(stage, film.canvas, { box: boxOfFields() });
      }
    },
  });

  find("sample").addEventListener("click",
    open(() => openVideo(SAMPLE.url, "the sample clip"), SAMPLE.box));
  find("camera").addEventListener("click", open(() => openCamera()));
  find("file").addEventListener("change", async (event) => {
    const files = Array.from(event.target.files);
    event.target.value = ""; // so that the same file can be chosen again
    if (files.length === 0) return;
    const pictures = files.every((file) => file.type.startsWith("image/"));
    await open(() => (pictures ? openPictures(files)
      : openVideo(URL.createObjectURL(files[0]), files[0].name)))();
  });
  find("follow").addEventListener("click", follow);
  find("stop").addEventListener("click", attempt(halt));
  find("again").addEventListener("click", attempt(async () => {
    await halt();
    await showFirst();
  }));
  find("download").addEventListener("click", () => results.download("boxes.csv"));
  for (const field of fields) {
    field.addEventListener("change", () => {
      if (run === null && source !== null) {
        drawStage(stage, film.canvas, { box: boxOfFields() });
      }
    });
  }
  enable();
}
