// Draws an account's days. Money comes as text: numbers are made of it only to find the height.
"use strict";
(() => {
  const texts = JSON.parse(document.getElementById("texts").textContent);
  const filled = (text, values) => text.replace(/{(\w+)}/g, (_, name) => values[name]);
  const color = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const resolved = (name) => {
    const probe = document.createElement("span");
    probe.style.color = `var(${name})`;
    document.body.append(probe);
    const found = getComputedStyle(probe).color;
    probe.remove();
    return found || color(name);
  };
  const grouped = (text) => String(text).replace(/^(-?\d+)/, (all) => all.replace(/\B(?=(\d{3})+$)/g, ","));
  const compact = new Intl.NumberFormat(document.documentElement.lang, { notation: "compact", maximumSignificantDigits: 3 });
  const short = (number) => compact.format(number);

  function draw(place) {
    const data = JSON.parse(document.getElementById(place.dataset.chart).textContent);
    const days = data.days.map((day) => Date.parse(`${day}T00:00:00Z`) / 1000);
    const height = (amounts) => amounts.map((text) => (text === "" ? null : Number(text)));
    const limit = data.limit === null ? null : Number(data.limit);
    const tallest = Math.max(1, ...height(data.out), ...height(data.in));
    const isLog = limit > 0 && tallest > 20 * limit; // else the limit lies on the axis
    const above = (numbers) => (isLog ? numbers.map((number) => (number > 0 ? number : null)) : numbers);
    const columns = [days, above(height(data.out)), above(height(data.in))];
    if (isLog && !place.dataset.said) {
      document.querySelector(`[data-caption="${place.dataset.chart}"]`).append(texts.logarithmic);
      place.dataset.said = "yes";
    }
    const said = (shown) => (_, value, series, index) =>
      index === null || index === undefined ? "" : filled(texts.money, { amount: grouped(shown[index]), unit: data.unit });
    const lines = [
      { label: texts.day, value: (_, time) => (time ? new Date(time * 1000).toISOString().slice(0, 10) : "") },
      { label: texts.out, stroke: resolved("--out"), fill: resolved("--out"), paths: uPlot.paths.bars({ size: [0.7, 40] }), points: { show: false }, value: said(data.out) },
      { label: texts.in, stroke: resolved("--in"), width: 2, dash: [2, 2], points: { show: true, size: 5 }, value: said(data.in) },
    ];
    if (limit !== null) {
      columns.push(days.map(() => limit));
      lines.push({ label: texts.limit, stroke: resolved("--limit"), width: 2, dash: [8, 4], points: { show: false }, value: () => filled(texts.money, { amount: grouped(data.limit), unit: data.unit }) });
    }
    const ink = resolved("--soft");
    const rule = resolved("--rule");
    const powers = (_, numbers) => numbers.map((number) => (Number.isInteger(Math.log10(number)) ? number : null));
    const filter = isLog ? powers : undefined;
    const axis = { stroke: ink, grid: { stroke: rule, width: 1 }, ticks: { stroke: rule } };
    const mark = {
      hooks: {
        drawClear: (plot) => {
          if (data.marked === null) return;
          const at = plot.valToPos(Date.parse(`${data.marked}T00:00:00Z`) / 1000, "x", true);
          plot.ctx.fillStyle = resolved("--mark");
          plot.ctx.fillRect(at - 9, plot.bbox.top, 18, plot.bbox.height);
        },
      },
    };
    const options = {
      width: Math.max(240, place.clientWidth), height: 240, tzDate: (time) => uPlot.tzDate(new Date(time * 1000), "UTC"),
      series: lines, plugins: [mark],
      axes: [{ ...axis, values: (_, times) => times.map((time) => new Date(time * 1000).toISOString().slice(5, 10)), space: 60 },
             { ...axis, ...(isLog && { filter, grid: { ...axis.grid, filter }, ticks: { ...axis.ticks, filter } }), values: (_, numbers) => numbers.map((number) => (number === null ? "" : short(number))), size: 56 }],
      scales: { y: isLog ? { distr: 3 } : { range: (_, least, greatest) => [Math.min(0, least ?? 0), (greatest || 1) * 1.05] } },
    };
    place.replaceChildren();
    new uPlot(options, columns, place);
  }

  const drawAll = () => document.querySelectorAll("[data-chart]").forEach(draw);
  let waiting;
  window.addEventListener("resize", () => { clearTimeout(waiting); waiting = setTimeout(drawAll, 150); });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawAll);
  drawAll();
})();
