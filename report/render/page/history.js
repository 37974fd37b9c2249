"use strict";
// The charts of a history: a point a run, its interval, and the runs that changed.
(function () {
  var all = JSON.parse(document.getElementById("data").textContent), plots = [];

  function css(name) {
    return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  }

  function number(v) {
    return v == null ? "-" : v.toLocaleString("en-US", { maximumFractionDigits: Math.abs(v) < 10 ? 2 : 0 });
  }

  function add(box, h, chart) {
    var figure = document.createElement("figure"), caption = document.createElement("figcaption"), div = document.createElement("div");
    caption.textContent = chart.title;
    figure.append(caption, div);
    box.append(figure);
    var axis = { stroke: css("--faint"), grid: { stroke: css("--line"), width: 1 }, ticks: { stroke: css("--line"), width: 1 } };
    var x = h.labels.map(function (_, i) { return i; });
    var top = 0;
    [chart.values, chart.high || []].forEach(function (list) { list.forEach(function (v) { if (v != null && v > top) top = v; }); });
    var u = new uPlot({
      width: Math.max(200, div.clientWidth), height: 180,
      cursor: { sync: { key: "history" } },
      scales: { x: { time: false, range: [-0.5, x.length - 0.5] }, y: { range: [0, top > 0 ? top * 1.1 : 1] } },
      series: [
        { label: "run", value: function (_, v) { return v == null ? "-" : h.labels[v]; } },
        { label: "value", stroke: css("--s0"), width: 1.4, spanGaps: true, points: { show: true, size: 6, fill: css("--s0") }, value: function (_, v, __, i) {
          if (v == null || i == null) return "-";
          var range = chart.low && chart.low[i] != null && chart.high[i] != null ? " (" + number(chart.low[i]) + "-" + number(chart.high[i]) + ")" : "";
          return (chart.open && chart.open[i] ? "> " : "") + number(v) + range;
        } }
      ],
      axes: [
        Object.assign({ size: 30, incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500], values: function (_, ticks) { return ticks.map(function (t) { return h.labels[t] || ""; }); } }, axis),
        Object.assign({ size: 58, values: function (_, ticks) { return ticks.map(number); } }, axis)
      ],
      hooks: { drawClear: [function (u) {
        var ctx = u.ctx, ratio = window.devicePixelRatio || 1;
        ctx.save();
        h.changed.forEach(function (c) {
          ctx.fillStyle = css(c.worse ? "--bad" : "--good");
          ctx.fillRect(u.valToPos(c.at - 0.5, "x", true), u.bbox.top, ratio, u.bbox.height);
        });
        ctx.fillStyle = css("--faint");
        x.forEach(function (i) {
          if (!chart.low || chart.low[i] == null || chart.high[i] == null) return;
          var high = u.valToPos(chart.high[i], "y", true), low = u.valToPos(chart.low[i], "y", true);
          ctx.fillRect(u.valToPos(i, "x", true) - ratio, high, 2 * ratio, Math.max(ratio, low - high));
        });
        ctx.restore();
      }] }
    }, [x, chart.values], div);
    u.root.querySelectorAll("canvas").forEach(function (c) { c.setAttribute("aria-hidden", "true"); });
    plots.push({ plot: u, box: div });
  }

  function draw() {
    plots.forEach(function (p) { p.plot.destroy(); });
    plots = [];
    all.forEach(function (h, i) {
      var box = document.getElementById("charts" + i);
      box.textContent = "";
      h.charts.forEach(function (c) { add(box, h, c); });
    });
  }

  draw();
  window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
  window.addEventListener("resize", function () {
    plots.forEach(function (p) { p.plot.setSize({ width: Math.max(200, p.box.clientWidth), height: 180 }); });
  });
})();
