// Keys, the selection of rows, and the bar of new alerts. Without it every page works by its forms.
"use strict";
(() => {
  const find = (selector, from = document) => from.querySelector(selector);
  const texts = JSON.parse(find("#texts")?.textContent ?? "{}"); // nobody is logged in: no keys either
  const filled = (text, values) => text.replace(/{(\w+)}/g, (_, name) => values[name]);
  const lines = [...document.querySelectorAll("main .lines .line")];
  const chosen = find("#chosen");
  const help = find("#help");
  let here = -1;
  let after = ""; // the key "g" waits for another one
  const fresh = new Set();

  const isTyping = (target) => target.closest("input:not([type=checkbox]):not([type=radio]), textarea, select, [contenteditable]");
  const areOff = () => localStorage.getItem("keys") === "off";

  function move(to) {
    if (!lines.length) return;
    lines[here]?.classList.remove("here");
    here = Math.max(0, Math.min(lines.length - 1, to));
    lines[here].classList.add("here");
    find("a.open", lines[here]).focus({ preventScroll: true });
    lines[here].scrollIntoView({ block: "nearest" });
    sessionStorage.setItem("here", lines[here].dataset.alert);
    sessionStorage.setItem("at", here);
  }

  const box = (line) => find("input[name=alert]", line);
  const picked = () => lines.filter((line) => box(line)?.checked);
  function count() {
    const number = picked().length;
    const place = find("#chosen-count");
    if (place) place.textContent = number ? filled(texts.chosen, { number }) : texts.none;
  }
  function select(line, is = !box(line).checked) {
    if (!box(line)) return;
    box(line).checked = is;
    count();
  }
  function ensurePicked() {
    if (!picked().length && here >= 0) select(lines[here], true);
    return picked().length > 0;
  }

  function press(selector) {
    const button = find(selector);
    if (button) button.click();
    return Boolean(button);
  }
  function open(selector, field) {
    const picker = find(selector);
    if (!picker) return;
    if (chosen && !ensurePicked()) return;
    picker.open = true;
    picker.scrollIntoView({ block: "nearest" });
    find(field, picker).focus();
  }
  function submit(action) {
    if (!chosen || !ensurePicked()) return;
    const button = find(`button[name=action][value=${action}]`, chosen);
    if (button) chosen.requestSubmit(button);
  }
  function openLine(hash = "") {
    const link = here >= 0 && find("a.open", lines[here]);
    if (link) location.href = link.href + hash;
  }
  function show() {
    if (fresh.size) location.reload();
  }

  const keys = {
    "?": () => help?.showModal(),
    j: () => move(here + 1),
    k: () => move(here - 1),
    o: () => openLine(),
    x: () => { if (here >= 0) select(lines[here]); },
    a: () => press("#assign") || submit("assign"),
    r: () => open("#close", "input[type=radio]"),
    s: () => open("#snooze", "button, input:not([type=hidden])"),
    c: () => { const field = find("#comment"); if (field) field.focus(); else openLine("#comment"); },
    u: () => press("#reopen") || submit("reopen"),
    z: () => press("#undo"),
    n: () => press("#next"),
    m: () => press("#take"),
    t: () => press("#transactions"),
    ".": show,
    "/": () => find("#search")?.focus(),
    g: () => { after = "g"; setTimeout(() => { after = ""; }, 1500); },
  };
  const places = { q: "/queue", i: "/incidents", l: "/limits", h: "/health", t: "/tasks", g: "/groups", e: "/team", x: "/explore" };

  function pick(event) {
    const picker = find("#close[open] .reasons");
    if (!picker || !document.activeElement.closest("#close")) return false;
    const radio = [...picker.querySelectorAll("input")].filter((field) => field.dataset.key.includes(event.key));
    if (!radio.length) return false;
    const at = radio.findIndex((field) => field.checked);
    const next = radio[(at + 1) % radio.length];
    next.checked = true;
    next.focus();
    return true;
  }

  function leave() {
    const picker = document.activeElement.closest("details.picker[open]");
    if (picker) {
      picker.open = false;
      find("summary", picker).focus();
    } else if (isTyping(document.activeElement)) {
      document.activeElement.blur();
    } else {
      press("#back");
    }
  }

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented || help?.open) return;
    if (event.key === "Enter" && event.repeat) { event.preventDefault(); return; } // a key held too long
    if (event.key === "Escape") { leave(); return; }
    if (event.key === "Enter" && event.target.id === "until" && chosen) { event.preventDefault(); submit("snooze"); return; }
    if (isTyping(event.target) || areOff()) return;
    if (event.key === "Enter" && event.target.matches("input[type=radio]") && event.target.form) {
      const button = event.target.closest("#close").querySelector("button");
      event.preventDefault();
      event.target.form.requestSubmit(button);
      return;
    }
    if (pick(event)) { event.preventDefault(); return; }
    if (after === "g" && places[event.key]) { location.href = places[event.key]; return; }
    const act = keys[event.key];
    if (act) { event.preventDefault(); act(); }
  });

  document.addEventListener("change", count);
  chosen?.addEventListener("submit", () => sessionStorage.setItem("at", lines.indexOf(picked()[0])));
  lines.forEach((line, at) => line.addEventListener("focusin", () => { if (at !== here) { lines[here]?.classList.remove("here"); here = at; line.classList.add("here"); } }));
  find("[data-help]")?.addEventListener("click", () => help.showModal());
  const off = find("#keys-off");
  if (off) {
    off.checked = areOff();
    off.addEventListener("change", () => localStorage.setItem("keys", off.checked ? "off" : "on"));
  }
  const last = sessionStorage.getItem("here");
  const again = lines.findIndex((line) => line.dataset.alert === last);
  const isDone = Boolean(find(".done")?.textContent.trim());
  if (chosen && again >= 0) move(again);
  else if (chosen && isDone) move(Number(sessionStorage.getItem("at"))); // where the row was
  if (location.hash === "#comment") find("#comment")?.focus();

  const bar = find("#new");
  const since = document.body.dataset.live;
  if (bar && since && window.EventSource) {
    const title = document.title;
    const source = new EventSource(`/events?after=${encodeURIComponent(since)}`);
    source.addEventListener("alert", (event) => {
      fresh.add(JSON.parse(event.data).alert_id);
      bar.hidden = false;
      bar.textContent = `${filled(texts.fresh[fresh.size === 1 ? 0 : 1], { number: fresh.size })} `;
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = texts.show;
      button.addEventListener("click", show);
      bar.append(button);
      document.title = `(${fresh.size}) ${title}`;
    });
    source.addEventListener("error", () => {
      if (source.readyState === EventSource.CLOSED) {
        bar.hidden = false;
        bar.textContent = texts.lost;
      }
    });
    window.addEventListener("pagehide", () => source.close());
  }
})();
