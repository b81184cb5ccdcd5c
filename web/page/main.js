/** Start the page. */

import { digitsTab } from "./digits.js";
import { followTab } from "./follow.js";
import { makeTabs } from "./tabs.js";

const find = (id) => document.getElementById(id);

makeTabs(find("tabs"));
followTab(find);
digitsTab(find);
if (typeof WebAssembly === "undefined") find("no-wasm").hidden = false;
