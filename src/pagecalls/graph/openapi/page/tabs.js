// Tabs over panels that stand below each other without a script. Arrow keys, Home and End move between them.

/** Make tabs of the buttons in `list`; each names its panel by aria-controls. */
export function makeTabs(list) {
  const tabs = [...list.querySelectorAll('[role="tab"]')];
  const panelOf = (tab) => document.getElementById(tab.getAttribute("aria-controls"));

  function select(chosen) {
    for (const tab of tabs) {
      const isChosen = tab === chosen;
      tab.setAttribute("aria-selected", String(isChosen));
      tab.tabIndex = isChosen ? 0 : -1;
      panelOf(tab).hidden = !isChosen;
    }
  }

  list.addEventListener("click", (event) => {
    const tab = event.target.closest('[role="tab"]');
    if (tab) select(tab);
  });
  list.addEventListener("keydown", (event) => {
    const steps = { ArrowRight: 1, ArrowLeft: -1, Home: -tabs.length, End: tabs.length };
    if (!(event.key in steps)) return;
    event.preventDefault();
    const now = tabs.indexOf(document.activeElement);
    const isEnd = event.key === "Home" || event.key === "End";
    const next = isEnd ? (event.key === "Home" ? 0 : tabs.length - 1) : (now + steps[event.key] + tabs.length) % tabs.length;
    select(tabs[next]);
    tabs[next].focus();
  });
  for (const tab of tabs) {
    const panel = panelOf(tab);
    panel.setAttribute("role", "tabpanel");
    panel.setAttribute("aria-labelledby", tab.id);
    panel.classList.add("tabbed");
  }
  list.hidden = false;
  select(tabs[0]);
}
