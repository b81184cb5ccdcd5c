/** What both tabs do with work that may fail. */

/**
 * Make a function that does some work once, whoever asks first; after a failure it is
 * done again.
 *
 * @template T
 * @param {() => Promise<T>} work
 */
export function once(work) {
  let result = null;
  return () => {
    result ??= work().catch((error) => {
      result = null; // the next try may succeed
      throw error;
    });
    return result;
  };
}

/**
 * Make what makes handlers of events: they do some work, and tell the visitor if it fails.
 *
 * @param {ReturnType<import("./messages.js").messages>} tell
 * @param {{before?: () => void, after?: () => void}} around what is done before each work
 *   and after it, whether it failed or not.
 */
export function attempts(tell, { before = () => {}, after = () => {} }) {
  return (work) => async (...given) => {
    before();
    tell.clear();
    try {
      await work(...given);
    } catch (error) {
      tell.fail(error);
      tell.say("");
    } finally {
      after();
    }
  };
}
