// What HTML alone cannot do: the reader's own time zone, and whether the page is live. Without it everything can be read.
(() => {
  "use strict";
  const long = new Intl.DateTimeFormat(undefined, {
    weekday: "short", day: "2-digit", month: "short", hour: "2-digit", minute: "2-digit", second: "2-digit",
  });
  const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;

  function localise() {
    for (const time of document.querySelectorAll("time[datetime]")) {
      const at = new Date(time.dateTime);
      if (time.hasAttribute("data-reader-time")) time.textContent = long.format(at);
      else if (time.hasAttribute("data-clock")) time.textContent = clock.format(at);
      time.title = long.format(at);
    }
    for (const cell of document.querySelectorAll("[data-reader]")) {
      cell.hidden = false;
      if (cell.tagName === "TH") cell.textContent = `Your time (${zone})`;
    }
  }

  function tell(state, text) {
    for (const note of document.querySelectorAll("[data-live]")) {
      note.hidden = false;
      note.dataset.live = state;
      note.querySelector("[data-live-text]").textContent = text;
    }
  }

  const gone = new Set([401, 403, 404]);
  document.addEventListener("htmx:sse:after:connection", () => tell("on", "live"));
  document.addEventListener("htmx:sse:error", (event) => {
    if (gone.has(event.detail.status)) location.reload();
    else if (event.detail.status === 429) tell("off", "not live: too many open pages, trying again");
    else tell("off", "not live: trying again");
  });
  document.addEventListener("ended", () => location.reload());
  for (const swapped of ["htmx:after:swap", "htmx:sse:after:message"]) document.addEventListener(swapped, localise);
  localise();
})();
