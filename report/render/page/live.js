"use strict";
// A page of a run that goes on: what is new comes as events, and takes the place of what
// stands here. Charts, choices and opened lists stay as they are.
(function () {
  var now = document.getElementById("now"), source = new EventSource("events" + location.search);

  source.addEventListener("now", function (e) {
    var s = JSON.parse(e.data);
    now.textContent = s.text;
  });

  // sections are the parts of a page in their order, by what they are called.
  function sections(doc) {
    return Array.from(doc.querySelectorAll("[data-part]"));
  }

  function name(part) { return part.getAttribute("data-part"); }

  source.addEventListener("page", function (e) {
    var fresh = new DOMParser().parseFromString(JSON.parse(e.data), "text/html");
    var old = sections(document), parts = sections(fresh);
    if (old.map(name).join() !== parts.map(name).join()) {
      location.reload();
      return;
    }
    document.title = fresh.title;
    old.forEach(function (part, i) {
      if (part.innerHTML === parts[i].innerHTML || part.contains(document.activeElement)) return;
      var open = Array.from(part.querySelectorAll("details")).map(function (d) { return d.open; });
      part.innerHTML = parts[i].innerHTML;
      part.querySelectorAll("details").forEach(function (d, i) { d.open = !!open[i]; });
    });
    var data = document.getElementById("data"), next = fresh.getElementById("data");
    if (data && next) {
      data.textContent = next.textContent;
      document.dispatchEvent(new Event("rampload-data"));
    }
  });

  source.addEventListener("end", function () {
    source.close();
    now.textContent = "The run is over; this page stays as it is.";
  });

  source.addEventListener("error", function () {
    if (source.readyState === EventSource.CLOSED) now.textContent = "rampload is not there any more; this page stays as it is.";
  });
})();
