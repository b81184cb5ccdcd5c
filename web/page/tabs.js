/** Tabs as the ARIA practices have them: arrow keys move, the address remembers. */

/** @param {HTMLElement} list the element of role "tablist". */
export function makeTabs(list) {
  const tabs = Array.from(list.querySelectorAll("[role=tab]"));

  const show = (tab) => {
    for (const each of tabs) {
      const chosen = each === tab;
      each.setAttribute("aria-selected", String(chosen));
      each.tabIndex = chosen ? 0 : -1;
      document.getElementById(each.getAttribute("aria-controls")).hidden = !chosen;
    }
  };
  const named = () => tabs.find(
    (tab) => `#${tab.getAttribute("aria-controls")}` === location.hash) ?? tabs[0];

  for (const tab of tabs) {
    tab.addEventListener("click", () => {
      history.replaceState(null, "", `#${tab.getAttribute("aria-controls")}`);
      show(tab);
    });
  }
  list.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (step === undefined) return;
    const next = tabs[(tabs.indexOf(document.activeElement) + step + tabs.length) % tabs.length];
    next.focus();
    next.click();
  });
  addEventListener("hashchange", () => show(named()));
  show(named());
}
