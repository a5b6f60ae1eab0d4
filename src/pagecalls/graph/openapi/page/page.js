// The moving parts of the reference page: the form that sends a request to this server, the code for it, and what is copied.
// The token lives in its field. It goes into the request and nowhere else: not into storage, the address or the code.

import { fill } from "./snippets.js";
import { makeTabs } from "./tabs.js";

const PATIENCE_MS = 15_000;
const byId = (id) => document.getElementById(id);

const form = byId("try");
const fields = form.elements;
const panels = [...document.querySelectorAll("[data-template]")];

// --- the request -----------------------------------------------------------------------------------------------------

/** Where the request goes and with which headers, if `token` is its token. */
function addressed(token, encode) {
  const path = `${form.dataset.base}/${encodeURIComponent(fields.page.value.trim())}/calls`;
  if (fields.place.selectedOptions[0].dataset.place === "header") {
    return { path, authorization: token ? `Bearer ${token}` : null };
  }
  return { path: token ? `${path}?${fields.place.value}=${encode(token)}` : path, authorization: null };
}

/** The body as a value; undefined, and the reason shown, while it is no JSON. */
function body() {
  try {
    const value = JSON.parse(fields.body.value);
    show("");
    return value;
  } catch (error) {
    show(`This is not JSON: ${error.message}`);
    return undefined;
  }
}

function show(fault) {
  byId("fault").textContent = fault;
  fields.body.toggleAttribute("aria-invalid", fault !== "");
}

function writeCode() {
  const value = body();
  if (value === undefined) return;
  const { path, authorization } = addressed(form.dataset.token, (placeholder) => placeholder);
  for (const panel of panels) {
    const { language, template } = panel.dataset;
    panel.querySelector("code").textContent = fill(language, template, {
      url: location.origin + path, authorization, body: value,
    });
  }
}

let isSending = false;

async function send() {
  if (isSending) return;
  if (body() === undefined) {
    fields.body.focus();
    return;
  }
  const { path, authorization } = addressed(fields.token.value.trim(), encodeURIComponent);
  const headers = { "Content-Type": "application/json" };
  if (authorization !== null) headers.Authorization = authorization;
  isSending = true;
  byId("sending").textContent = "Sending …";
  const startedAt = performance.now();
  try {
    const response = await fetch(path, {
      method: "POST", headers, body: fields.body.value,
      cache: "no-store", credentials: "omit", signal: AbortSignal.timeout(PATIENCE_MS),
    });
    const text = await response.text();
    showAnswer(response, text, performance.now() - startedAt);
  } catch (error) {
    showSilence(error);
  } finally {
    isSending = false;
    byId("sending").textContent = "";
  }
}

// --- the answer ------------------------------------------------------------------------------------------------------

function showAnswer(response, text, tookMs) {
  const outcome = byId("outcome");
  const words = `${response.status} ${response.statusText}`.trim();
  outcome.replaceChildren(element("span", words, `status ${response.ok ? "good" : "bad"}`), ` after ${Math.round(tookMs)} ms`);
  byId("answer-body").textContent = indented(text);
  const lines = [...response.headers].flatMap(([name, value]) => [element("dt", name), element("dd", value)]);
  byId("answer-headers").replaceChildren(...lines);
  reveal();
}

function showSilence(error) {
  const why = error.name === "TimeoutError" ? `No answer within ${PATIENCE_MS / 1000} s.` : "The request could not be sent, or nobody answers.";
  byId("outcome").replaceChildren(element("span", "No answer", "status bad"), ` ${why}`);
  byId("answer-body").textContent = "";
  byId("answer-headers").replaceChildren();
  reveal();
}

function reveal() {
  byId("answer").hidden = false;
  byId("answer").scrollIntoView({ block: "nearest" });
}

function indented(text) {
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text;
  }
}

function element(name, text, className = "") {
  const made = document.createElement(name);
  made.textContent = text;
  made.className = className;
  return made;
}

// --- copying ---------------------------------------------------------------------------------------------------------

/** Into the clipboard, also where the page is not on a trusted origin and has no clipboard of its own. */
async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    const area = document.createElement("textarea");
    area.value = text;
    document.body.append(area);
    area.select();
    const isDone = document.execCommand("copy");
    area.remove();
    if (!isDone) throw new Error("no clipboard");
  }
}

async function copyFrom(button, source) {
  const words = button.textContent;
  try {
    await copy(await source());
    button.textContent = "Copied";
  } catch {
    button.textContent = "Could not copy";
  }
  byId("copied").textContent = button.textContent;
  setTimeout(() => { button.textContent = words; byId("copied").textContent = ""; }, 2000);
}

async function markdown(button) {
  const response = await fetch(button.dataset.source);
  if (!response.ok) throw new Error(String(response.status));
  return response.text();
}

// --- the start -------------------------------------------------------------------------------------------------------

form.addEventListener("submit", (event) => { event.preventDefault(); send(); });
form.addEventListener("input", (event) => {
  if (event.target === fields.action) fields.body.value = fields.action.selectedOptions[0].dataset.body;
  if (event.target !== fields.token) writeCode();
});
byId("copy-markdown").addEventListener("click", ({ target }) => copyFrom(target, () => markdown(target)));
byId("copy-code").addEventListener("click", ({ target }) => {
  copyFrom(target, async () => panels.find((panel) => !panel.hidden).querySelector("code").textContent);
});

makeTabs(document.querySelector('[role="tablist"]'));
for (const hidden of [form, byId("copy-markdown"), byId("copy-code")]) hidden.hidden = false;
writeCode();
