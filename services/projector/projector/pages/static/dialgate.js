// What the pages do beside htmx: they say what the API answered, ask the projector for the part that
// shows the outcome, and draw the calls. Nothing is shown that a server has not said.
"use strict";
(() => {
  const find = (selector, within = document) => within.querySelector(selector);
  const asking = () => find("#asking");

  // -- a change: posted to the API, shown by the projector ------------------------------------

  document.addEventListener("htmx:before:request", ({ detail: { ctx } }) => {
    const { dataset } = ctx.sourceElement;
    if (dataset.then === undefined) return;
    if (dataset.json === undefined) return;
    const given = [...ctx.request.body.entries()].filter(([, value]) => value !== "");
    ctx.request.body = JSON.stringify(Object.fromEntries(given));
    ctx.request.headers["Content-Type"] = "application/json";
  });

  document.addEventListener("htmx:after:request", ({ detail: { ctx } }) => {
    const source = ctx.sourceElement;
    if (source.dataset.then === undefined) return;
    const answer = parsed(ctx.text);
    const done = ctx.response.status < 300;
    if (!done) return say(source, problem(answer, ctx.response.status), true);
    const tried = answer.dry_run === true;
    if (!tried) say(source, success(answer), false);
    const path = source.dataset.then.replace(/\{(\w+)\}/, (_, name) => answer[name]);
    const into = source.dataset.into;
    if (into !== "#asking") asking().close();
    htmx.ajax("GET", path, { target: into, swap: into === "#asking" ? "innerHTML" : "innerMorph" });
  });

  const parsed = (text) => { try { return JSON.parse(text); } catch { return {}; } };

  const problem = (answer, status) => {
    const { detail } = answer;
    if (typeof detail === "string") return detail;
    if (Array.isArray(detail)) return detail.map((one) => one.msg).join("; ");
    return `It did not work (${status}).`;
  };

  // Times are the service's: the page's own would be gone after a refresh, and be the network's.
  const success = (answer) => {
    const { receipt, message } = answer;
    if (!receipt) return message ?? "Done.";
    const talking = receipt.calls_in_progress;
    const ms = receipt.settled_in_ms;
    const within = ms === undefined ? "Paused" : `Answered in ${ms < 1 ? ms.toFixed(1) : Math.round(ms)} ms`;
    return `${within}: no further call begins. ` +
      `${talking} ${talking === 1 ? "call" : "calls"} still talking.`;
  };

  const say = (source, text, bad) => {
    const near = source.closest("dialog");
    const place = (bad && near && find(".said", near)) || find("#said");
    place.textContent = text;
    place.classList.toggle("bad", bad);
    place.hidden = false;
  };

  document.addEventListener("htmx:error", ({ detail: { ctx } }) => {
    if (streams(ctx?.sourceElement)) return connectAgain(ctx.sourceElement);
    if (ctx?.sourceElement?.dataset?.then !== undefined) {
      say(ctx.sourceElement, "There was no answer. It may still take effect: the page will show it.", true);
    }
  });

  // -- the dialog -----------------------------------------------------------------------------

  document.addEventListener("htmx:after:swap", ({ detail: { ctx } }) => {
    const { target } = ctx;
    if (target?.id === "asking" && target.firstElementChild && !target.open) target.showModal();
    draw();
  });
  document.addEventListener("click", ({ target }) => {
    if (target.closest?.("[data-close]")) asking().close();
  });
  document.addEventListener("close", ({ target }) => {
    if (target.id === "asking") target.replaceChildren();
  }, true);

  // -- the stream -----------------------------------------------------------------------------

  const signIn = () => location.assign("/sign-in");
  const goHome = () => location.assign("/");
  // What a stream is answered that will not come again: its session has ended, or its campaign.
  const LEAVE = { 401: signIn, 404: goHome };

  document.addEventListener("signed-out", signIn);
  document.addEventListener("gone", goHome);
  document.addEventListener("htmx:sse:error", ({ detail: { status } }) => {
    if (LEAVE[status]) return LEAVE[status]();
    find("#offline")?.removeAttribute("hidden");
  });
  document.addEventListener("htmx:sse:after:connection", () => {
    wait_ms = WAIT_MS;
    find("#offline")?.setAttribute("hidden", "");
  });

  // htmx comes back to a stream that was there; to one that was not there at first, this does.
  const WAIT_MS = 1000;
  const WAIT_MAX_MS = 30000;
  let wait_ms = WAIT_MS;

  const streams = (element) => element?.hasAttribute?.("hx-sse:connect");

  const connectAgain = (source) => {
    find("#offline")?.removeAttribute("hidden");
    setTimeout(() => {
      if (source.isConnected) htmx.ajax("GET", source.getAttribute("hx-sse:connect"), { source });
    }, wait_ms);
    wait_ms = Math.min(2 * wait_ms, WAIT_MAX_MS);
  };

  document.addEventListener("htmx:before:response", (event) => {
    const { sourceElement, response } = event.detail.ctx;
    const kind = response.headers.get("Content-Type") ?? "";
    if (!streams(sourceElement) || kind.startsWith("text/event-stream")) return;
    event.preventDefault(); // An error is no part of the page.
    if (LEAVE[response.status]) return LEAVE[response.status]();
    connectAgain(sourceElement);
  });

  // At its right end the slider is the present.
  document.addEventListener("change", ({ target }) => {
    if (target.id === "as_of_ms" && target.value === target.max) location.assign(location.pathname);
  });

  // -- calls over time ------------------------------------------------------------------------

  let plot = null;
  let drawn = "";

  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

  const clock = (s) => {
    const text = new Date(s * 1000).toISOString();
    return s % 60 === 0 ? text.slice(11, 16) : text.slice(11, 19);
  };

  const shade = (u) => {
    const { pauses, cursor } = plot.given;
    const { ctx, bbox } = u;
    ctx.save();
    ctx.fillStyle = colour("--shade");
    for (const [since, until] of pauses) {
      const x = Math.max(bbox.left, u.valToPos(since, "x", true));
      const end = Math.min(bbox.left + bbox.width, u.valToPos(until, "x", true));
      if (end > x) ctx.fillRect(x, bbox.top, Math.max(1, end - x), bbox.height);
    }
    if (cursor !== null) {
      ctx.fillStyle = colour("--bad");
      ctx.fillRect(u.valToPos(cursor, "x", true) - 1, bbox.top, 2, bbox.height);
    }
    ctx.restore();
  };

  const draw = () => {
    const place = find("#chart");
    const text = find("#calls")?.dataset.calls;
    if (!place || !text || typeof uPlot === "undefined") return;
    if (plot && !place.contains(plot.root)) { plot.destroy(); plot = null; }
    if (plot && text === drawn) return;
    drawn = text;
    const given = JSON.parse(text);
    const xs = given.counts.map((_, i) => given.first + (i + 0.5) * given.step);
    const range = [given.first, given.first + given.counts.length * given.step];
    if (plot) {
      plot.given = given;
      plot.range = range;
      plot.setData([xs, given.counts]);
      return;
    }
    plot = { given, range };
    const axis = { stroke: () => colour("--quiet"), grid: { stroke: () => colour("--line"), width: 1 }, ticks: { show: false } };
    const chart = new uPlot({
      width: place.clientWidth, height: 190,
      cursor: { show: false },
      legend: { show: false },
      scales: { x: { range: () => plot.range }, y: { range: (_, __, most) => [0, Math.max(4, most * 1.1)] } },
      axes: [{ ...axis, space: 80, size: 28, values: (_, ticks) => ticks.map(clock) }, { ...axis, size: 34, incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000] }],
      series: [
        {},
        { fill: () => colour("--in_progress"), points: { show: false }, paths: uPlot.paths.bars({ size: [0.9, 40] }) },
      ],
      hooks: { drawClear: [shade] },
    }, [xs, given.counts], place);
    chart.given = given;
    chart.range = range;
    plot = chart;
    place.classList.add("drawn");
  };

  addEventListener("resize", () => plot?.setSize({ width: find("#chart").clientWidth, height: 190 }));
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => plot?.redraw());
  document.addEventListener("DOMContentLoaded", draw);
  draw();
})();
