/** The models of this page: what they are is in models.json, which `make web` writes. */

import { fetchChecked } from "../model/file.js";
import { once } from "./attempts.js";

const FOLDER = new URL("../models/", import.meta.url);
const MAX_BYTES = 8e6; // of all models of the page

const list = once(async () => {
  const content = await fetchChecked(new URL("models.json", FOLDER));
  return JSON.parse(new TextDecoder().decode(content));
});

/**
 * Load a model of this page; its file's size and hash must be those that are listed.
 *
 * @param {typeof import("../keras-attend-web.js").Tracker} kind `Tracker` or `Classifier`.
 * @param {string} name a preset's.
 */
export async function loadModel(kind, name) {
  const { file, bytes, sha256 } = (await list())[name] ?? {};
  if (!/^\w+\.onnx$/.test(file) || !(bytes <= MAX_BYTES) || !/^[0-9a-f]{64}$/.test(sha256)) {
    throw new Error(`models.json must say file, bytes and sha256 of ${name}.`);
  }
  return kind.load(new URL(file, FOLDER), { bytes, sha256 });
}
