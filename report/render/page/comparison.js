"use strict";
// The charts of a comparison: each measure over the load, a line a run.
(function () {
  var charts = JSON.parse(document.getElementById("data").textContent), box = document.getElementById("charts"), plots = [];

  function css(name) {
    return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  }

  function number(v) {
    return v == null ? "-" : v.toLocaleString("en-US", { maximumFractionDigits: Math.abs(v) < 10 ? 2 : 0 });
  }

  function colour(line) { return css(line.new ? "--s1" : "--s0"); }

  function add(chart) {
    var figure = document.createElement("figure"), caption = document.createElement("figcaption"), div = document.createElement("div");
    caption.textContent = chart.title;
    figure.append(caption, div);
    box.append(figure);
    var axis = { stroke: css("--faint"), grid: { stroke: css("--line"), width: 1 }, ticks: { stroke: css("--line"), width: 1 } };
    var series = [{ label: "load", value: function (_, v) { return v == null ? "-" : number(v) + "/s"; } }], columns = [chart.loads];
    chart.lines.forEach(function (l) {
      columns.push(l.values);
      series.push({ label: l.label, stroke: colour(l), width: 1.4, dash: l.new ? undefined : [5, 4], spanGaps: false, points: { show: chart.loads.length < 40, size: 4 }, value: function (_, v) { return number(v); } });
    });
    var u = new uPlot({
      width: Math.max(200, div.clientWidth), height: 220, series: series,
      legend: { show: chart.lines.length <= 6 },
      cursor: { sync: { key: "compare" } },
      scales: { x: { time: false }, y: { range: function (_, low, high) { return [0, high > 0 ? high * 1.08 : 1]; } } },
      axes: [
        Object.assign({ size: 30, values: function (_, ticks) { return ticks.map(function (v) { return number(v) + "/s"; }); } }, axis),
        Object.assign({ size: 58, values: function (_, ticks) { return ticks.map(number); } }, axis)
      ],
      hooks: { drawClear: [function (u) {
        var ctx = u.ctx, ratio = window.devicePixelRatio || 1;
        ctx.save();
        ctx.globalAlpha = 0.6;
        chart.lines.forEach(function (l) {
          if (l.onset == null) return;
          ctx.fillStyle = colour(l);
          ctx.fillRect(u.valToPos(l.onset, "x", true), u.bbox.top, ratio, u.bbox.height);
        });
        ctx.restore();
      }] }
    }, columns, div);
    u.root.querySelectorAll("canvas").forEach(function (c) { c.setAttribute("aria-hidden", "true"); });
    plots.push({ plot: u, box: div });
  }

  function draw() {
    plots.forEach(function (p) { p.plot.destroy(); });
    plots = [];
    box.textContent = "";
    charts.forEach(add);
  }

  draw();
  window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
  window.addEventListener("resize", function () {
    plots.forEach(function (p) { p.plot.setSize({ width: Math.max(200, p.box.clientWidth), height: 220 }); });
  });
})();
