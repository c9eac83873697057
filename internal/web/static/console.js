// Keeps a page true while something on it is unfinished: fetches it again
// and changes what differs in <main>. Elements that stay are left in place,
// so that focus, selection and scrolling stay with them.
"use strict";

const pulse = document.getElementById("pulse");
let last = "";
let failures = 0;

function every() {
  return Number(document.getElementById("main").dataset.every) || 0;
}

function say(text, state) {
  if (pulse.textContent !== text) pulse.textContent = text;
  pulse.dataset.state = state;
}

function plan() {
  if (!every()) {
    say("", "");
    return;
  }
  say(failures ? "no connection, trying again" : "live", failures ? "lost" : "live");
  setTimeout(refresh, Math.min(every() * 2 ** failures, 30000));
}

async function refresh() {
  try {
    if (!document.hidden) await update();
    failures = 0;
  } catch {
    failures = Math.min(failures + 1, 10);
  }
  plan();
}

async function update() {
  const answer = await fetch(location.href, { cache: "no-store" });
  if (!answer.ok && answer.status !== 404) throw new Error(answer.statusText);
  const text = await answer.text();
  if (text === last) return;
  last = text;
  const page = new DOMParser().parseFromString(text, "text/html");
  const now = page.getElementById("main");
  if (!now) throw new Error("not a page of the console");

  const root = document.documentElement;
  const atEnd = innerHeight + scrollY >= root.scrollHeight - 4 && scrollY > 0;
  const focused = document.activeElement;
  const href = focused && focused.getAttribute("href");
  match(document.getElementById("main"), now);
  document.title = page.title;
  // A row that moved takes the focus along.
  if (href && focused.getAttribute("href") !== href) {
    const same = document.querySelector("#main a[href=" + JSON.stringify(href) + "]");
    if (same) same.focus({ preventScroll: true });
  }
  if (atEnd) scrollTo(scrollX, root.scrollHeight);
}

// match makes the node old like the node now, which it may take over.
function match(old, now) {
  if (old.nodeType !== now.nodeType || old.nodeName !== now.nodeName) {
    old.replaceWith(now);
    return;
  }
  if (old.nodeType !== Node.ELEMENT_NODE) {
    if (old.data !== now.data) old.data = now.data;
    return;
  }
  for (const { name } of [...old.attributes]) {
    // Whether details are open is for the reader to say.
    if (!now.hasAttribute(name) && name !== "open") old.removeAttribute(name);
  }
  for (const { name, value } of now.attributes) {
    if (old.getAttribute(name) !== value) old.setAttribute(name, value);
  }
  const before = [...old.childNodes];
  const after = [...now.childNodes];
  after.forEach((child, i) => (i < before.length ? match(before[i], child) : old.append(child)));
  before.slice(after.length).forEach((child) => child.remove());
}

plan();
