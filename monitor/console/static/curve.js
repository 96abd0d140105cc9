// Draws alerts by limit. Money comes as text: numbers are made of it only to find its place.
"use strict";
(() => {
  const texts = JSON.parse(document.getElementById("texts").textContent);
  const filled = (text, values) => text.replace(/{(\w+)}/g, (_, name) => values[name]);
  const resolved = (name) => {
    const probe = document.createElement("span");
    probe.style.color = `var(${name})`;
    document.body.append(probe);
    const found = getComputedStyle(probe).color;
    probe.remove();
    return found;
  };
  const compact = new Intl.NumberFormat(document.documentElement.lang, { notation: "compact", maximumSignificantDigits: 3 });
  const short = (number) => compact.format(number);

  function draw(place) {
    const data = JSON.parse(document.getElementById(place.dataset.curve).textContent);
    const points = data.limits
      .map((text, index) => [Number(text), data.alerts[index], text])
      .filter(([limit, alerts]) => limit > 0 && alerts > 0); // the others have no place on these axes
    if (!points.length) return;
    const columns = [points.map((point) => point[0]), points.map((point) => point[1])];
    const rule = resolved("--rule");
    const axis = { stroke: resolved("--soft"), grid: { stroke: rule, width: 1 }, ticks: { stroke: rule } };
    const line = (plot, text, color, dash) => {
      const limit = Number(text);
      if (!(limit > 0)) return;
      const at = plot.valToPos(limit, "x", true);
      if (at < plot.bbox.left || at > plot.bbox.left + plot.bbox.width) return;
      plot.ctx.save();
      plot.ctx.strokeStyle = color;
      plot.ctx.lineWidth = 2;
      plot.ctx.setLineDash(dash);
      plot.ctx.beginPath();
      plot.ctx.moveTo(at, plot.bbox.top);
      plot.ctx.lineTo(at, plot.bbox.top + plot.bbox.height);
      plot.ctx.stroke();
      plot.ctx.restore();
    };
    const marks = {
      hooks: {
        draw: (plot) => {
          line(plot, data.now, resolved("--limit"), [8, 4]);
          if (data.then !== data.now) line(plot, data.then, resolved("--calm"), [2, 3]);
        },
      },
    };
    place.replaceChildren();
    new uPlot({
      width: Math.max(240, place.clientWidth), height: 260, plugins: [marks],
      scales: { x: { time: false, distr: 3 }, y: { distr: 3 } },
      series: [
        { label: filled(texts.limit_in, data), value: (_, value, series, index) => (index === null || index === undefined ? "" : points[index][2]) },
        { label: texts.alerts, stroke: resolved("--out"), width: 2, points: { show: true, size: 4 } },
      ],
      axes: [
        { ...axis, values: (_, numbers) => numbers.map((number) => (number === null ? "" : short(number))) },
        { ...axis, size: 56, values: (_, numbers) => numbers.map((number) => (number === null ? "" : short(number))) },
      ],
    }, columns, place);
  }

  const drawAll = () => document.querySelectorAll("[data-curve]").forEach(draw);
  let waiting;
  window.addEventListener("resize", () => { clearTimeout(waiting); waiting = setTimeout(drawAll, 150); });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawAll);
  drawAll();
})();
