/** The boxes of a run, as a table to download. */

const HEAD = "frame,x,y,w,h,present,presence,time";

export class Results {
  #rows = [];
  #scale;

  /** @param {number} scale how much larger the film is than the frames followed. */
  constructor(scale = 1) {
    this.#scale = scale;
  }

  /** How many frames there are. */
  get length() {
    return this.#rows.length;
  }

  /**
   * Add a frame's box.
   *
   * @param {{box: number[], present: boolean, presence: number | null}} found
   * @param {number | null} time in seconds.
   */
  add({ box, present, presence }, time) {
    const numbers = box.map((number) => (number * this.#scale).toFixed(3));
    const rest = [presence, time].map((number) => number?.toFixed(4) ?? "");
    this.#rows.push([this.#rows.length, ...numbers, Number(present), ...rest].join(","));
  }

  /** Return the table: columns as `keras-attend track` writes them, and two more. */
  csv() {
    return [HEAD, ...this.#rows, ""].join("\n");
  }

  /** Let the browser save the table. */
  download(name) {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([this.csv()], { type: "text/csv" }));
    link.download = name;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
  }
}
