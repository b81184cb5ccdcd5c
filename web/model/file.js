/** Fetch a model's file, check it, and read the description that it holds. */

const KEY = "keras_attend"; // the entry of ONNX's metadata that describes the model
const METADATA = 14; // the number of that field of ONNX's ModelProto
const MAX_BYTES = 2 ** 28; // of a file whose size is not known beforehand

/**
 * Return the content of a file, or throw an error that says what is wrong with it.
 *
 * @param {string | URL} url
 * @param {{bytes?: number, sha256?: string}} expected its size and its SHA-256 sum in
 *   hexadecimal digits; what is absent is not checked.
 * @returns {Promise<Uint8Array>}
 */
export async function fetchChecked(url, { bytes, sha256 } = {}) {
  let response;
  try {
    response = await fetch(url);
  } catch (error) {
    throw new Error(`${url} cannot be fetched: ${error.message}`, { cause: error });
  }
  if (!response.ok) {
    throw new Error(`${url} cannot be fetched. Received: HTTP status ${response.status}`);
  }
  const content = await readAtMost(response, bytes ?? MAX_BYTES, url);
  if (bytes !== undefined && content.length !== bytes) {
    throw new Error(`${url} must have ${bytes} bytes. Received: ${content.length} bytes`);
  }
  if (sha256 !== undefined) {
    const found = await hashOf(content);
    if (found !== sha256) {
      throw new Error(`${url} is not the file that was published: its SHA-256 sum must ` +
        `be ${sha256}. Received: ${found}`);
    }
  }
  return content;
}

/** Read a response, and stop as soon as it is longer than it may be. */
async function readAtMost(response, most, url) {
  const parts = [];
  let length = 0;
  const reader = response.body.getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    length += value.length;
    if (length > most) {
      await reader.cancel();
      throw new Error(`${url} must have at most ${most} bytes. Received: more`);
    }
    parts.push(value);
  }
  const content = new Uint8Array(length);
  let at = 0;
  for (const part of parts) {
    content.set(part, at);
    at += part.length;
  }
  return content;
}

async function hashOf(content) {
  if (globalThis.crypto?.subtle === undefined) {
    throw new Error("The browser checks files only on pages from https or localhost. " +
      `Received: ${globalThis.location?.origin}`);
  }
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", content));
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/**
 * Return the description that `keras_attend.export` has put into an ONNX file.
 *
 * @param {Uint8Array} content
 * @param {"tracker" | "classifier"} kind what the model must be.
 */
export function description(content, kind) {
  const text = new TextDecoder();
  try {
    for (const [field, entry] of fields(content)) {
      if (field !== METADATA) continue;
      const pair = Object.fromEntries(fields(entry)); // 1: the key, 2: the value
      if (text.decode(pair[1]) !== KEY) continue;
      const found = JSON.parse(text.decode(pair[2]));
      if (found.kind === kind) return found;
      throw new Error(`it is a ${found.kind}`);
    }
    throw new Error("it holds no description");
  } catch (error) {
    throw new Error(`The file must be a ${kind} that \`keras_attend.export\` wrote as ` +
      `ONNX. Received: ${error.message}`, { cause: error });
  }
}

/** Yield the number and the content of the fields of a message in protobuf's format. */
function* fields(data) {
  let at = 0;
  const number = () => {
    let found = 0;
    for (let scale = 1; ; scale *= 128) {
      const byte = data[at++];
      if (byte === undefined || scale > 2 ** 63) throw new Error("it breaks off");
      found += (byte & 127) * scale;
      if (byte < 128) return found;
    }
  };
  while (at < data.length) {
    const key = number();
    const [field, type] = [Math.floor(key / 8), key % 8];
    if (type === 0) {
      number();
    } else if (type === 2) {
      const length = number();
      if (at + length > data.length) throw new Error("it breaks off");
      yield [field, data.subarray(at, at + length)];
      at += length;
    } else if (type === 1 || type === 5) {
      at += type === 1 ? 8 : 4;
    } else {
      throw new Error("it is in another format");
    }
  }
}
