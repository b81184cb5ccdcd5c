/** Tell the visitor what happens, and what went wrong. */

/**
 * @param {HTMLElement} status a live region for what happens.
 * @param {HTMLElement} alert a live region for errors, hidden while there is none.
 */
export function messages(status, alert) {
  return {
    say(text) {
      status.textContent = text;
    },
    fail(error) {
      alert.textContent = error.message ?? String(error);
      alert.hidden = false;
    },
    clear() {
      alert.hidden = true;
      alert.textContent = "";
    },
  };
}
