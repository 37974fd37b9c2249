"use strict";
// The charts: small multiples over one axis, time or load, with one crosshair.
(function () {
  var data = JSON.parse(document.getElementById("data").textContent);
  var box = document.getElementById("charts"), slider = document.getElementById("at"), told = document.getElementById("at-text");
  var colours = ["--s0", "--s2", "--s4", "--s5", "--s3", "--s1"];
  var plots = [], byLoad = false, view = null, height = 180;

  function css(name) {
    return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  }

  function number(v) {
    return v == null ? "-" : v.toLocaleString("en-US", { maximumFractionDigits: Math.abs(v) < 10 ? 2 : 0 });
  }

  function clock(s) {
    s = Math.round(s * 100) / 100;
    if (s < 60) return s + " s";
    if (s >= 3600) return Math.floor(s / 3600) + "h" + String(Math.round(s % 3600 / 60)).padStart(2, "0") + "m";
    var m = Math.floor(s / 60), r = Math.round((s - 60 * m) * 100) / 100;
    return m + "m" + (r < 10 ? "0" : "") + r + "s";
  }

  // over is what the charts show: the values of x, and how rows of the run go into them.
  function over() {
    if (!byLoad) {
      return { x: data.at, name: "time", text: clock, rows: data.at.map(function (_, i) { return [i]; }) };
    }
    var top = 0;
    data.offered.forEach(function (v) { if (v != null && v > top) top = v; });
    var bins = 60, width = nice(top / bins), rows = [], x = [];
    data.offered.forEach(function (v, i) {
      if (v == null) return;
      var b = Math.floor(v / width);
      (rows[b] = rows[b] || []).push(i);
    });
    var kept = [];
    rows.forEach(function (r, b) { x.push((b + 0.5) * width); kept.push(r); });
    return { x: x, name: "load", text: function (v) { return number(v) + "/s"; }, rows: kept, width: width };
  }

  function nice(v) {
    var p = Math.pow(10, Math.floor(Math.log10(v || 1)));
    return v <= p ? p : v <= 2 * p ? 2 * p : v <= 5 * p ? 5 * p : 10 * p;
  }

  // along is a series in the order of the view: the mean of the rows at each x.
  function along(values) {
    return view.rows.map(function (rows) {
      var sum = 0, n = 0;
      rows.forEach(function (i) { if (values[i] != null) { sum += values[i]; n++; } });
      return n ? sum / n : null;
    });
  }

  function clip(u, draw) {
    var ctx = u.ctx;
    ctx.save();
    ctx.beginPath();
    ctx.rect(u.bbox.left, u.bbox.top, u.bbox.width, u.bbox.height);
    ctx.clip();
    draw(ctx, window.devicePixelRatio || 1);
    ctx.restore();
  }

  // ground draws what lies below the lines: stages, heat, onsets.
  function ground(chart) {
    return function (u) {
      clip(u, function (ctx, ratio) {
        var top = u.bbox.top, tall = u.bbox.height;
        if (!byLoad) {
          data.stages.forEach(function (s, i) {
            if (i % 2 === 0) return;
            var from = u.valToPos(s.from, "x", true), to = u.valToPos(s.to, "x", true);
            ctx.fillStyle = css("--stage");
            ctx.fillRect(from, top, to - from, tall);
          });
        }
        if (chart.heat) heat(u, ctx, chart.heat);
        data.onsets.forEach(function (o) {
          var at = byLoad ? o.load : o.at, low = byLoad ? o.loadLow : o.low, high = byLoad ? o.loadHigh : o.high;
          if (at == null) return;
          if (low == null) low = at;
          if (high == null) high = at;
          var a = u.valToPos(low, "x", true), b = u.valToPos(high, "x", true), x = u.valToPos(at, "x", true);
          ctx.fillStyle = css(o.crossing ? "--crossing" : "--band");
          ctx.fillRect(a, top, Math.max(b - a, ratio), tall);
          ctx.fillStyle = css(o.crossing ? "--unsure" : "--bad");
          ctx.fillRect(x - ratio / 2, top, ratio, tall);
        });
        if (chart.limit != null) {
          var y = u.valToPos(chart.limit, "y", true);
          ctx.fillStyle = css("--bad");
          for (var x = u.bbox.left; x < u.bbox.left + u.bbox.width; x += 8 * ratio) ctx.fillRect(x, y - ratio / 2, 4 * ratio, ratio);
        }
      });
    };
  }

  function heat(u, ctx, h) {
    var columns = byLoad ? heatByLoad(h) : h.counts.map(function (c, i) { return { from: i * h.every, to: (i + 1) * h.every, counts: c }; });
    columns.forEach(function (c) {
      var sum = 0;
      c.counts.forEach(function (n) { sum += n; });
      if (!sum) return;
      var from = u.valToPos(c.from, "x", true), to = u.valToPos(c.to, "x", true);
      c.counts.forEach(function (n, i) {
        if (!n) return;
        var high = u.valToPos(h.upper[i], "y", true), low = u.valToPos(i ? h.upper[i - 1] : h.upper[0] / 1.47, "y", true);
        ctx.fillStyle = "rgba(" + css("--heat") + "," + (0.08 + 0.72 * Math.pow(n / sum, 0.4)).toFixed(3) + ")";
        ctx.fillRect(from, high, Math.max(1, to - from), Math.max(1, low - high));
      });
    });
  }

  function heatByLoad(h) {
    var bins = [];
    h.counts.forEach(function (counts, i) {
      var from = i * h.every, to = from + h.every, sum = 0, n = 0;
      data.at.forEach(function (at, row) {
        if (at >= from && at < to && data.offered[row] != null) { sum += data.offered[row]; n++; }
      });
      if (!n) return;
      var b = Math.floor(sum / n / view.width);
      bins[b] = bins[b] || { from: b * view.width, to: (b + 1) * view.width, counts: counts.map(function () { return 0; }) };
      counts.forEach(function (c, k) { bins[b].counts[k] += c; });
    });
    return bins.filter(Boolean);
  }

  // marks draws what happened, at the foot of the chart.
  function marks(u) {
    if (byLoad) return;
    clip(u, function (ctx, ratio) {
      var foot = u.bbox.top + u.bbox.height;
      data.marks.forEach(function (m) {
        var x = u.valToPos(m.from, "x", true), to = u.valToPos(m.to, "x", true), size = (m.bad ? 5 : 4) * ratio;
        ctx.fillStyle = css(m.bad ? "--bad" : "--s4");
        ctx.globalAlpha = 0.35;
        ctx.fillRect(x, foot - 2 * ratio, Math.max(to - x, ratio), 2 * ratio);
        ctx.globalAlpha = 1;
        ctx.beginPath();
        ctx.moveTo(x - size, foot);
        ctx.lineTo(x + size, foot);
        ctx.lineTo(x, foot - 2 * size);
        ctx.fill();
      });
    });
  }

  function openMark(u, event) {
    if (byLoad) return;
    var rect = u.over.getBoundingClientRect(), x = event.clientX - rect.left, best = 12, found = -1;
    data.marks.forEach(function (m, i) {
      var d = Math.abs(u.valToPos(m.from, "x") - x);
      if (d < best) { best = d; found = i; }
    });
    if (found < 0 || event.clientY - rect.top < rect.height * 0.6) return;
    var list = document.querySelectorAll("#marks > details");
    list[found].open = true;
    list[found].scrollIntoView({ block: "center" });
    list[found].querySelector("summary").focus();
  }

  function stacked(lines) {
    var base = null;
    return lines.map(function (l) {
      var values = along(l.values);
      base = values.map(function (v, i) { return v == null && (!base || base[i] == null) ? null : (v || 0) + (base ? base[i] || 0 : 0); });
      return { total: base, own: values };
    });
  }

  // steps are the round values between two on a logarithmic axis: powers of ten, and 2 and 5
  // times them where there are few.
  function steps(low, high) {
    var out = [], leads = high < 1000 * low ? [1, 2, 5] : [1];
    for (var power = Math.pow(10, Math.floor(Math.log10(low))); power <= high; power *= 10) {
      leads.forEach(function (lead) { if (lead * power >= low && lead * power <= high) out.push(lead * power); });
    }
    return out;
  }

  function add(chart) {
    var figure = document.createElement("figure"), caption = document.createElement("figcaption"), div = document.createElement("div");
    caption.textContent = chart.title;
    if (chart.cause) figure.className = "cause";
    figure.append(caption, div);
    box.append(figure);
    var axis = { stroke: css("--faint"), grid: { stroke: css("--line"), width: 1 }, ticks: { stroke: css("--line"), width: 1 } };
    var series = [{ label: view.name, value: function (_, v) { return v == null ? "-" : view.text(v); } }];
    var columns = [view.x], stack = chart.kind === "stack" ? stacked(chart.lines) : null, other = 0;
    chart.lines.forEach(function (l, i) {
      var colour = l.bad ? css("--s1") : css(colours[other++ % (colours.length - 1)]), values = stack ? stack[i].own : along(l.values);
      columns.push(stack ? stack[i].total : values);
      series.push({
        label: l.label, stroke: colour, fill: stack ? colour + "66" : undefined, width: chart.cause ? 2 : 1.4,
        dash: l.dashed ? [5, 4] : undefined, spanGaps: byLoad, points: { show: false },
        value: function (_, v, __, idx) { return number(idx == null ? null : values[idx]); }
      });
    });
    if (stack) { // what lies below is drawn last
      var order = columns.slice(1).reverse();
      columns = [columns[0]].concat(order);
      series = [series[0]].concat(series.slice(1).reverse());
    }
    var log = chart.kind === "heat";
    var u = new uPlot({
      width: Math.max(200, div.clientWidth), height: height, series: series,
      cursor: { sync: { key: "run", setSeries: false }, points: { size: 6 }, drag: { x: true, y: false } },
      scales: {
        x: { time: false },
        y: log ? { distr: 3, range: function (_, low, high) {
          var up = chart.heat.upper;
          return [Math.min(low || Infinity, up[0] / 1.5), Math.max(high || 0, up[up.length - 1])];
        } } : { range: function (_, low, high) {
          return [0, chart.limit != null ? Math.max(105, high * 1.05) : high > 0 ? high * 1.08 : 1];
        } }
      },
      axes: [
        Object.assign({ size: 30, values: function (_, ticks) { return ticks.map(view.text); } }, axis),
        Object.assign({ size: 58, values: function (_, ticks) {
          return ticks.map(function (v) { return v == null ? "" : number(v); });
        } }, log ? { splits: function (_, __, low, high) { return steps(low, high); }, filter: function (_, ticks) { return ticks; } } : {}, axis)
      ],
      hooks: {
        drawClear: [ground(chart)], draw: [marks],
        setCursor: [function (u) { if (u.cursor.idx != null && u.cursor.event) point(u.cursor.idx); }],
        ready: [function (u) { u.over.addEventListener("click", function (e) { openMark(u, e); }); }]
      }
    }, columns, div);
    u.root.querySelectorAll("canvas").forEach(function (c) { c.setAttribute("aria-hidden", "true"); });
    plots.push({ plot: u, box: div });
  }

  // point says where the crosshair is.
  function point(idx) {
    slider.value = idx;
    var x = view.x[idx];
    told.textContent = x == null ? "" : view.text(x) + (byLoad ? "" : " at " + number(data.offered[idx]) + "/s");
  }

  function key() {
    var text = data.onsets.map(function (o) {
      var load = o.load != null ? " at " + number(o.load) + "/s" : "";
      return o.label + load + ", " + clock(o.at) + " (line; the band is its 95% interval)";
    });
    if (data.charts.some(function (c) { return c.heat; })) text.push("darker: a larger share of the answers of that moment");
    if (!byLoad && data.stages.length > 1) text.push("shaded: every second stage");
    document.getElementById("key").textContent = text.join("; ");
  }

  function draw() {
    plots.forEach(function (p) { p.plot.destroy(); });
    plots = [];
    box.textContent = "";
    view = over();
    slider.max = view.x.length - 1;
    data.charts.forEach(add);
    key();
    told.textContent = "";
  }

  slider.addEventListener("input", function () {
    var idx = +slider.value;
    plots.forEach(function (p) {
      p.plot.setCursor({ left: p.plot.valToPos(view.x[idx], "x"), top: height / 3 }, false);
    });
    point(idx);
  });
  document.getElementById("axis").addEventListener("change", function (e) {
    byLoad = e.target.value === "load";
    draw();
  });
  draw();
  document.addEventListener("rampload-data", function () { // of a run that goes on
    var at = slider.value;
    data = JSON.parse(document.getElementById("data").textContent);
    draw();
    slider.value = at;
  });
  window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
  // Paper cannot be clicked: what was not measured, and where the run was, stand open on it.
  var opened = [];
  window.addEventListener("beforeprint", function () {
    opened = Array.from(document.querySelectorAll("details.paper:not([open])"));
    opened.forEach(function (d) { d.open = true; });
  });
  window.addEventListener("afterprint", function () { opened.forEach(function (d) { d.open = false; }); });
  window.addEventListener("resize", function () {
    plots.forEach(function (p) { p.plot.setSize({ width: Math.max(200, p.box.clientWidth), height: height }); });
  });
})();
