/**
 * Where frames come from: a video file, the camera, or picture files.
 *
 * Each source has `width` and `height`, `picture` (what a canvas can draw of the current
 * frame), `rewind()`, `close()`, and `frames(signal)`, which yields the frames that
 * follow until the end, or until the signal aborts: `{picture, time, missed}`, the time
 * in seconds and the number of frames that were not seen in between.
 */

const SLOWEST = 1 / 16; // browsers play no slower
const SHARE = 0.7; // of a frame's time that work on it may take

/** Open a video file or an address. */
export async function openVideo(url, name, signal) {
  const video = videoElement();
  video.src = url;
  try {
    await until(video, "loadeddata", signal);
  } catch (error) {
    video.remove();
    if (signal?.aborted) throw error;
    const reason = video.error?.message || error.message;
    throw new Error(`“${name}” cannot be played. MP4 (H.264) and WebM suit most ` +
      `browsers. Received: ${reason}`, { cause: error });
  }
  return new VideoSource(video, false);
}

/** Ask for the camera, and open it. */
export async function openCamera(signal) {
  if (!navigator.mediaDevices?.getUserMedia) {
    throw new Error("This page cannot use a camera: the browser allows it only on pages " +
      "from https or localhost.");
  }
  const video = videoElement();
  try {
    video.srcObject = await navigator.mediaDevices.getUserMedia({
      audio: false,
      video: { facingMode: "environment", width: { ideal: 640 }, height: { ideal: 480 } },
    });
  } catch (error) {
    video.remove();
    throw new Error(`There is no camera to use: ${error.message}`, { cause: error });
  }
  await until(video, "loadeddata", signal);
  await video.play();
  return new VideoSource(video, true);
}

/** Open picture files, one a frame, in the order of their names. */
export async function openPictures(files) {
  const order = new Intl.Collator("en", { numeric: true });
  const sorted = Array.from(files).sort((a, b) => order.compare(a.name, b.name));
  return new PictureSource(sorted, await decoded(sorted[0]));
}

class VideoSource {
  constructor(video, live) {
    this.picture = video;
    this.live = live;
    this.width = video.videoWidth;
    this.height = video.videoHeight;
  }

  /** A film is played as slowly as is needed for each of its frames to be seen. */
  async *frames(signal) {
    const video = this.picture;
    if (!video.requestVideoFrameCallback) {
      throw new Error("This browser does not tell which frame of a video it shows; a " +
        "newer version of it does.");
    }
    if (!this.live) video.playbackRate = SLOWEST * 4; // until its speed is known
    let last = null;
    let interval = 1 / 30; // from one frame of the film to the next
    let work = null; // how long each frame's takes
    try {
      await video.play();
    } catch (error) {
      if (signal.aborted) return; // it was paused before it had begun
      throw error;
    }
    try {
      for (;;) {
        const shown = await nextFrame(video, signal);
        if (shown === null) return;
        let missed = 0;
        if (last !== null) {
          const count = shown.presentedFrames - last.presentedFrames;
          missed = Math.max(count - 1, 0);
          const passed = (shown.mediaTime - last.mediaTime) / Math.max(count, 1);
          if (passed > 0) interval = passed;
        }
        last = shown;
        const before = performance.now();
        yield { picture: video, time: shown.mediaTime, missed };
        const took = (performance.now() - before) / 1000;
        work = work === null ? took : 0.8 * work + 0.2 * took;
        if (!this.live) adapt(video, (SHARE * interval) / work);
      }
    } finally {
      if (!this.live) video.pause();
    }
  }

  /** Show the same frame until `frames` is called. */
  hold() {
    this.picture.pause();
  }

  async rewind() {
    if (this.live) {
      await this.picture.play();
    } else if (this.picture.currentTime > 0) {
      this.picture.currentTime = 0;
      await until(this.picture, "seeked");
    }
  }

  close() {
    const video = this.picture;
    video.pause();
    for (const track of video.srcObject?.getTracks() ?? []) track.stop();
    if (video.src.startsWith("blob:")) URL.revokeObjectURL(video.src);
    video.srcObject = null;
    video.removeAttribute("src");
    video.remove();
  }
}

class PictureSource {
  #files;
  #at = 0;

  constructor(files, first) {
    this.#files = files;
    this.picture = first;
    this.live = false;
    this.width = first.width;
    this.height = first.height;
  }

  async *frames(signal) {
    while (this.#at + 1 < this.#files.length && !signal.aborted) {
      this.#at += 1;
      await this.#show();
      if (signal.aborted) return;
      yield { picture: this.picture, time: null, missed: 0 };
      // Nothing here waits for the screen: let the browser draw, and hear the visitor.
      await new Promise((resolve) => { setTimeout(resolve); });
    }
  }

  hold() {} // a picture does not move

  async rewind() {
    this.#at = 0;
    await this.#show();
  }

  close() {
    this.picture.close();
  }

  async #show() {
    const next = await decoded(this.#files[this.#at]);
    if (next.width !== this.width || next.height !== this.height) {
      throw new Error("All pictures must have one size. Received: " +
        `${this.#files[this.#at].name} of ${next.width}x${next.height} after ` +
        `${this.width}x${this.height}`);
    }
    this.picture.close();
    this.picture = next;
  }
}

/** Return a picture file's pixels as they are in it. */
async function decoded(file) {
  try {
    return await createImageBitmap(file,
      { colorSpaceConversion: "none", premultiplyAlpha: "none" });
  } catch (error) {
    throw new Error(`“${file.name}” is no picture that this browser can read.`,
      { cause: error });
  }
}

/** Play at the wanted speed, or as near to it as browsers can. */
function adapt(video, wanted) {
  const rate = Math.min(Math.max(wanted, SLOWEST), 1);
  // A change of speed costs time as well.
  if (Math.abs(Math.log(rate / video.playbackRate)) > 0.15) video.playbackRate = rate;
}

function videoElement() {
  const video = document.createElement("video");
  Object.assign(video, { muted: true, playsInline: true, preload: "auto", tabIndex: -1 });
  video.className = "offstage"; // some browsers decode only what is in the page
  video.setAttribute("aria-hidden", "true");
  document.body.append(video);
  return video;
}

/** Wait for the next frame of a playing video; null at its end or when aborted. */
function nextFrame(video, signal) {
  return new Promise((resolve) => {
    const finish = (shown) => {
      video.cancelVideoFrameCallback(wanted);
      video.removeEventListener("ended", stop);
      signal.removeEventListener("abort", stop);
      resolve(shown);
    };
    const stop = () => finish(null);
    const wanted = video.requestVideoFrameCallback((_, shown) => finish(shown));
    video.addEventListener("ended", stop);
    signal.addEventListener("abort", stop);
    if (video.ended || signal.aborted) stop();
  });
}

/** Wait for an event of a video; reject on an error or when aborted. */
function until(video, event, signal) {
  return new Promise((resolve, reject) => {
    video.addEventListener(event, resolve, { once: true });
    video.addEventListener("error", () => reject(new Error("no video")), { once: true });
    signal?.addEventListener("abort", () => reject(signal.reason), { once: true });
  });
}
