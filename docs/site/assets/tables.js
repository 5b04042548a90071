// The theme gives each table a box that scrolls sideways. One that has to scroll can be reached by the keyboard, too.
const fits = new ResizeObserver((boxes) => {
  for (const { target } of boxes) {
    if (target.scrollWidth > target.clientWidth) target.tabIndex = 0;
    else target.removeAttribute("tabindex");
  }
});
const watchTables = () => document.querySelectorAll(".md-typeset__scrollwrap").forEach((box) => fits.observe(box));
new MutationObserver(watchTables).observe(document.documentElement, { childList: true, subtree: true });
watchTables();
