(() => {
  "use strict";
  const map = document.getElementById("map");
  const tip = document.getElementById("tip");
  const documents = JSON.parse(document.getElementById("documents").textContent);
  const orders = JSON.parse(document.getElementById("orders")?.textContent ?? "null");
  const reach = 14;
  const legends = [...document.querySelectorAll(".legend")];
  const levels = [...map.querySelectorAll("g.level")].map((level, number) => ({
    level, legend: legends[number], layers: [...level.querySelectorAll("g[data-title]")],
    dots: [...level.querySelectorAll("circle")].map((dot, index) => ({
      dot, x: dot.cx.baseVal.value, y: dot.cy.baseVal.value, layer: dot.parentNode,
      document: documents[orders ? orders[number][index] : index],
    })),
  }));
  let shown = levels.find(({ level }) => !level.hasAttribute("hidden"));
  let current = null;

  const nearest = (event) => {
    const at = new DOMPoint(event.clientX, event.clientY).matrixTransform(map.getScreenCTM().inverse());
    let best = null, least = reach * reach;
    for (const dot of shown.dots) {
      const distance = (dot.x - at.x) ** 2 + (dot.y - at.y) ** 2;
      if (distance < least && !dot.layer.classList.contains("dim")) { best = dot; least = distance; }
    }
    return best;
  };
  const show = (found, event) => {
    if (current !== found) {
      if (current) current.dot.classList.remove("current");
      current = found;
      tip.hidden = !found;
      if (!found) return;
      found.dot.classList.add("current");
      const [id, text] = found.document;
      tip.querySelector("b").textContent = found.layer.dataset.title;
      tip.querySelector("code").textContent = id;
      tip.querySelector("span").textContent = text;
      tip.style.borderColor = found.layer.getAttribute("fill");
    }
    if (!found) return;
    const box = tip.getBoundingClientRect(), gap = 14;
    const left = event.clientX + gap + box.width > innerWidth ? event.clientX - gap - box.width : event.clientX + gap;
    const top = event.clientY + gap + box.height > innerHeight ? event.clientY - gap - box.height : event.clientY + gap;
    tip.style.left = `${Math.max(left, 4)}px`;
    tip.style.top = `${Math.max(top, 4)}px`;
  };
  map.addEventListener("pointermove", (event) => show(nearest(event), event));
  map.addEventListener("pointerleave", (event) => show(null, event));

  const highlight = (title) => shown.layers.forEach((layer) =>
    layer.classList.toggle("dim", title !== null && layer.dataset.title !== title));
  for (const entry of document.querySelectorAll(".legend button")) {
    const title = entry.dataset.title;
    for (const kind of ["pointerenter", "focus"]) entry.addEventListener(kind, () => highlight(title));
    for (const kind of ["pointerleave", "blur"]) entry.addEventListener(kind, () => highlight(null));
  }

  const granularity = document.getElementById("granularity");
  if (!granularity) return;
  granularity.hidden = false;
  granularity.querySelector("input").addEventListener("input", (event) => {
    highlight(null);
    show(null, event);
    shown = levels[Number(event.target.value)];
    for (const { level, legend } of levels) {
      level.toggleAttribute("hidden", level !== shown.level);
      legend.toggleAttribute("hidden", legend !== shown.legend);
    }
    granularity.querySelector("output").textContent = shown.level.dataset.label;
  });
})();
