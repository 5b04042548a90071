// Times in the reader's zone, parts that are loaded later, and a live overview. Without this script all is there, too:
// times are UTC then, and parts are links.
"use strict";

const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
const clock = new Intl.DateTimeFormat(undefined, {
  year: "numeric", month: "short", day: "numeric", hour: "2-digit", minute: "2-digit", second: "2-digit",
});

function showTimes(within) {
  for (const time of within.querySelectorAll("time[datetime]")) {
    time.textContent = clock.format(new Date(time.dateTime));
  }
}

async function fetchPart(address) {
  const answer = await fetch(address, { headers: { "millrace-part": "1" }, credentials: "same-origin" });
  return answer.text();
}

async function load(holder, address) {
  holder.classList.add("busy");
  holder.setAttribute("aria-busy", "true");
  try {
    // The server has escaped every value; no script in it would run, by the page's policy.
    holder.innerHTML = await fetchPart(address);
  } catch (error) {
    holder.textContent = `No answer: is millrace ui still running? (${error.message})`;
  }
  holder.removeAttribute("aria-busy");
  holder.classList.remove("busy");
  prepare(holder);
}

function prepare(within) {
  showTimes(within);
  for (const holder of within.querySelectorAll("[data-load]")) load(holder, holder.dataset.load);
  for (const holder of within.querySelectorAll("[data-click]")) {
    holder.querySelector("a").addEventListener("click", (event) => {
      event.preventDefault();
      load(holder, holder.dataset.click);
    });
  }
}

document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy]");
  if (!button) return;
  await navigator.clipboard.writeText(button.dataset.copy);
  button.textContent = "Copied";
  setTimeout(() => { button.textContent = "Copy"; }, 1500);
});

async function refresh(live) {
  // Not while somebody is in the middle of it with the keyboard, has chosen text, or looks elsewhere.
  const isUsed = live.contains(document.activeElement) || String(getSelection()) !== "";
  if (!isUsed && !document.hidden) {
    try {
      const fresh = document.createElement("div");
      fresh.innerHTML = await fetchPart(location.href);
      const next = fresh.querySelector("[data-refresh]");
      if (next) { live.replaceWith(next); prepare(next); live = next; }
    } catch { /* The next round asks again. */ }
  }
  setTimeout(() => refresh(live), Number(live.dataset.refresh) * 1000);
}

document.addEventListener("DOMContentLoaded", () => {
  document.getElementById("zone").textContent = `Times: ${zone}`;
  prepare(document);
  const live = document.querySelector("[data-refresh]");
  if (live) setTimeout(() => refresh(live), Number(live.dataset.refresh) * 1000);
});
