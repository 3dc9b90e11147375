// What the pages do beside htmx. Small, and nothing is shown that the server has not said.
"use strict";
(() => {
  const find = (selector) => document.querySelector(selector);

  // A stream that ends because the key was revoked, or the campaign deleted, moves the page.
  document.addEventListener("signed-out", () => location.assign("/sign-in"));
  document.addEventListener("gone", () => location.assign("/"));
  document.addEventListener("htmx:sse:error", () => { find("#offline")?.removeAttribute("hidden"); });
  document.addEventListener("htmx:sse:after:connection", () => { find("#offline")?.setAttribute("hidden", ""); });
})();
