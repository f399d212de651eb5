// Renews the page in place. Without it the page asks for itself anew.
"use strict";
(() => {
  const every = Number(document.currentScript.dataset.every) * 1000;
  const parts = (of) => of.querySelectorAll("section[id], #trouble, #fresh");

  const isInUse = (part) => {
    const active = document.activeElement;
    const selected = document.getSelection();
    return (
      (active && active.tagName === "INPUT" && part.contains(active)) ||
      (selected && !selected.isCollapsed && part.contains(selected.anchorNode))
    );
  };

  // What a person who uses the keyboard is at, so that it is found again among what comes in its place.
  const named = (one) => one.getAttribute("href") ?? (one.tagName === "SUMMARY" ? one.parentElement.id : one.textContent);

  const renew = (part, now) => {
    if (part.innerHTML === now.innerHTML || isInUse(part)) return;
    const open = [...part.querySelectorAll("details[open]")].map((one) => one.id);
    const active = part.contains(document.activeElement) ? document.activeElement : null;
    part.innerHTML = now.innerHTML;
    for (const id of open) document.getElementById(id)?.setAttribute("open", "");
    if (active) {
      const alike = [...part.querySelectorAll(active.tagName)];
      alike.find((one) => named(one) === named(active))?.focus();
    }
  };

  const lost = () => {
    const fresh = document.getElementById("fresh");
    if (fresh) fresh.textContent = "the server does not answer; what is shown was seen before";
  };

  const look = async () => {
    if (document.hidden) return;
    try {
      const answer = await fetch(location.href, { cache: "no-store", signal: AbortSignal.timeout(every + 5000) });
      if (!answer.ok) return lost();
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      if (document.querySelector("section[id]") === null || page.querySelector("section[id]") === null) {
        return location.reload();
      }
      document.title = page.title;
      for (const part of parts(document)) {
        const now = page.getElementById(part.id);
        if (now) renew(part, now);
      }
    } catch {
      lost();
    }
  };

  const again = () => look().finally(() => setTimeout(again, every));
  setTimeout(again, every);
  document.addEventListener("visibilitychange", look);
})();
