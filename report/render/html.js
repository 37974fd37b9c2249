"use strict";
(function () {
  var data = JSON.parse(document.getElementById("data").textContent);
  var plots = [];

  function css(name) {
    return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  }

  // Onsets: a band for the interval and a line for the best estimate.
  function onsets() {
    return {
      hooks: {
        drawClear: [function (u) {
          var ctx = u.ctx, top = u.bbox.top, height = u.bbox.height, ratio = window.devicePixelRatio || 1;
          ctx.save();
          ctx.beginPath();
          ctx.rect(u.bbox.left, top, u.bbox.width, height);
          ctx.clip();
          data.onsets.forEach(function (o) {
            var low = u.valToPos(o.low, "x", true), high = u.valToPos(o.high, "x", true), at = u.valToPos(o.at, "x", true);
            ctx.fillStyle = css("--band");
            ctx.fillRect(low, top, Math.max(high - low, ratio), height);
            ctx.fillStyle = css("--bad");
            ctx.fillRect(at - ratio / 2, top, ratio, height);
          });
          ctx.restore();
        }]
      }
    };
  }

  function number(v) {
    return v == null ? "-" : v.toLocaleString("en-US", { maximumFractionDigits: v < 10 ? 2 : 0 });
  }

  function clock(s) {
    s = Math.round(s * 100) / 100;
    if (s < 60) return s + " s";
    var m = Math.floor(s / 60), r = Math.round((s - 60 * m) * 100) / 100;
    return m + "m" + (r < 10 ? "0" : "") + r + "s";
  }

  function chart(id, lines, colours, range) {
    var box = document.getElementById(id);
    if (!box) return;
    if (!lines || lines.length === 0) {
      box.parentNode.remove();
      return;
    }
    var axis = { stroke: css("--faint"), grid: { stroke: css("--line"), width: 1 }, ticks: { stroke: css("--line"), width: 1 } };
    var series = [{ label: "time", value: function (_, v) { return v == null ? "-" : clock(v); } }];
    lines.forEach(function (l, i) {
      series.push({
        label: l.label, stroke: css(colours[i % colours.length]), width: l.cause ? 2.5 : 1.5, dash: l.dashed ? [5, 4] : undefined, spanGaps: false,
        points: { show: false }, value: function (_, v) { return number(v); }
      });
    });
    var u = new uPlot({
      width: box.clientWidth, height: 200, series: series, plugins: [onsets()],
      cursor: { sync: { key: "run" }, points: { size: 6 } },
      scales: { x: { time: false }, y: { range: range } },
      axes: [
        Object.assign({ values: function (_, ticks) { return ticks.map(clock); } }, axis),
        Object.assign({ size: 64, values: function (_, ticks) { return ticks.map(number); } }, axis)
      ]
    }, [data.at].concat(lines.map(function (l) { return l.values; })), box);
    plots.push({ plot: u, box: box });
  }

  function fromZero(u, low, high) {
    return [0, high > 0 ? high * 1.08 : 1];
  }

  function draw() {
    plots.forEach(function (p) { p.plot.destroy(); });
    plots = [];
    chart("load", data.load, ["--s0", "--s3"], fromZero);
    chart("faults", data.faults, ["--s1", "--s2", "--s4", "--s5", "--s0", "--s3"], fromZero);
    chart("p99", data.p99, ["--s0", "--s4", "--s2", "--s5", "--s3", "--s1"], fromZero);
    chart("use", data.use, ["--s1", "--s0", "--s2", "--s3", "--s4", "--s5"], function (u, low, high) {
      return [0, Math.max(105, high * 1.05)];
    });
  }

  draw();
  window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
  window.addEventListener("resize", function () {
    plots.forEach(function (p) { p.plot.setSize({ width: p.box.clientWidth, height: 200 }); });
  });
})();
