"use strict";
// The explorer of failures: each list counts the attempts that the choices in the other
// lists leave.
(function () {
  var groups;
  var box = document.getElementById("explorer"), sum = document.getElementById("explorer-sum");
  var every = [
    { key: "target", title: "target" }, { key: "fault", title: "fault" }, { key: "detail", title: "what was said" },
    { key: "phase", title: "phase" }, { key: "state", title: "connection" }, { key: "sender", title: "who sent the RST", none: "not seen" },
    { key: "reason", title: "why it was sent", none: "not told" }, { key: "address", title: "address", none: "none" },
    { key: "idle_ms", title: "idle before the attempt", steps: true, text: idle }, { key: "served", title: "requests served before it", steps: true, text: served }
  ];
  var kinds = every, chosen = {}, most = 12;

  function idle(v) { return v == null ? "on no kept connection" : v < 1 ? "less than 1 ms" : v < 1000 ? "from " + v + " ms" : "from " + v / 1000 + " s"; }
  function served(v) { return v == null ? "on no kept connection" : v === 0 ? "none" : "from " + v; }
  function count(n) { return n.toLocaleString("en-US"); }

  function fits(g, but) {
    return kinds.every(function (k) { return k.key === but || !(k.key in chosen) || g[k.key] === chosen[k.key]; });
  }

  function value(g, k) {
    return g[k.key] === undefined ? "" : g[k.key];
  }

  function read() {
    groups = JSON.parse(document.getElementById("data").textContent).groups;
    groups.forEach(function (g) { every.forEach(function (k) { g[k.key] = value(g, k); }); });
    // What is the same everywhere tells nothing apart.
    kinds = every.filter(function (k) {
      return groups.some(function (g) { return g[k.key] !== groups[0][k.key]; }) || k.key === "fault" || k.key in chosen;
    });
  }

  function list(k) {
    var counts = new Map(), total = 0;
    groups.forEach(function (g) {
      if (!fits(g, k.key)) return;
      counts.set(g[k.key], (counts.get(g[k.key]) || 0) + g.count);
      total += g.count;
    });
    var rows = Array.from(counts).sort(function (a, b) {
      if (k.steps) return (a[0] == null ? -1 : a[0]) - (b[0] == null ? -1 : b[0]);
      return b[1] - a[1];
    });
    var field = document.createElement("fieldset"), legend = document.createElement("legend");
    legend.textContent = k.title;
    field.append(legend);
    rows.slice(0, most).forEach(function (row) {
      var button = document.createElement("button"), name = document.createElement("span"), n = document.createElement("span");
      var pressed = k.key in chosen && chosen[k.key] === row[0];
      name.textContent = k.text ? k.text(row[0]) : row[0] === "" ? k.none || "nothing" : row[0];
      n.textContent = count(row[1]);
      button.type = "button";
      button.setAttribute("aria-pressed", pressed);
      button.style.setProperty("--share", (total ? 100 * row[1] / total : 0) + "%");
      button.append(name, n);
      button.addEventListener("click", function () {
        if (pressed) delete chosen[k.key]; else chosen[k.key] = row[0];
        draw(k.key, name.textContent);
      });
      field.append(button);
    });
    if (rows.length > most) {
      var rest = document.createElement("p");
      rest.className = "none";
      rest.textContent = "and " + (rows.length - most) + " more";
      field.append(rest);
    }
    return field;
  }

  function draw(key, name) {
    box.textContent = "";
    var all = 0, left = 0;
    groups.forEach(function (g) { all += g.count; if (fits(g)) left += g.count; });
    kinds.forEach(function (k) { box.append(list(k)); });
    var words = Object.keys(chosen).length ? count(left) + " of " + count(all) + " failed attempts: choices taken back by a second click" : count(all) + " failed attempts; choose to see what they have in common";
    sum.textContent = words;
    if (key) {
      box.querySelectorAll("button").forEach(function (b) { if (b.firstChild.textContent === name && b.parentNode.firstChild.textContent === title(key)) b.focus(); });
    }
  }

  function title(key) {
    return kinds.filter(function (k) { return k.key === key; })[0].title;
  }

  read();
  draw();
  document.addEventListener("rampload-data", function () { // of a run that goes on
    if (box.contains(document.activeElement)) return;
    read();
    draw();
  });
})();
