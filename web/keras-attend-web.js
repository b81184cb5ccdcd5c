/**
 * The models that `keras_attend.export` writes as ONNX, in the browser.
 *
 *     import { Tracker } from "./keras-attend-web.js";
 *     const tracker = await Tracker.load("models/hart_kitti.onnx");
 *     await tracker.init(video, [x, y, width, height]);
 *     const { present, box } = await tracker.update(video);
 */
export { Classifier } from "./model/classifier.js";
export { frameOf } from "./model/frames.js";
export { Tracker } from "./model/tracker.js";
