// The chat box. Every text is set as text, never as HTML: a bot's message can't become a part of the page.
"use strict";

const $ = (id) => document.getElementById(id);
const TICKS = { taken: "✓", sent: "✓", delivered: "✓✓", read: "✓✓", played: "✓✓", failed: "✗ failed", refused: "✗ refused" };
const RANK = ["taken", "sent", "delivered", "read", "played"];
const TYPING_MS = 25_000; // as long as WhatsApp shows it
const messages = new Map();
let source = null;
let typing = 0;

function make(tag, name, text, ...children) {
  const made = document.createElement(tag);
  if (name) made.className = name;
  if (text) made.textContent = text;
  made.append(...children);
  return made;
}

function chosen() {
  const [provider, account] = $("account").value.split("/").map(decodeURIComponent);
  return { provider, account, from: $("number").value };
}

function complain(text) {
  $("problem").textContent = text;
  $("problem").hidden = !text;
}

async function receive(content) {
  const { provider, account, from } = chosen();
  const body = JSON.stringify({ provider, account, from, ...content });
  try {
    const answer = await fetch("/_sandbox/receive", { method: "POST", headers: { "Content-Type": "application/json" }, body });
    const said = await answer.json();
    complain(said.error ?? (said.status === 200 ? "" : `The ingress answered ${said.status}: see its log.`));
  } catch {
    complain("No answer from the sandbox: is it still running?");
  }
}

function tap({ type, id, title, description }) {
  if (type === "button") return receive({ type, content: { payload: id, text: title } });
  const reply = { id, title, ...(description && { description }) };
  return receive({ type: "interactive", content: { type, [type]: reply } });
}

function choice(option, name) {
  const button = make("button", name, option.title);
  button.type = "button";
  if (option.description) button.append(make("small", "", option.description));
  button.addEventListener("click", () => tap(option));
  return button;
}

function link(title, url, name) {
  const made = make("a", name, title);
  if (/^https?:\/\//i.test(url)) Object.assign(made, { href: url, target: "_blank", rel: "noopener noreferrer", title: url });
  return made;
}

// Shows a file of the sandbox's own. A link is not followed until it is clicked on: the page asks nobody else.
function media({ kind, source: own, link: url, name }) {
  const title = `${kind}: ${name ?? url ?? "file"}`;
  if (!own) return link(title, url ?? "", "file");
  const tag = { image: "img", sticker: "img", video: "video", audio: "audio" }[kind];
  if (!tag) return Object.assign(make("a", "file", title), { href: own, download: name ?? "" });
  return Object.assign(make(tag), { src: own, alt: title, controls: true });
}

function menu({ title, sections }) {
  const details = make("details", "", "", make("summary", "", title));
  for (const section of sections) {
    if (section.title) details.append(make("div", "section", section.title));
    details.append(make("div", "choices", "", ...section.rows.map((row) => choice(row, "row"))));
  }
  return details;
}

function body(bubble) {
  const parts = [];
  if (bubble.media) parts.push(media(bubble.media));
  for (const name of ["header", "text", "footer", "note"]) if (bubble[name]) parts.push(make("div", name, bubble[name]));
  const choices = (bubble.buttons ?? []).map((each) => choice(each, ""));
  if (bubble.link) choices.push(link(`${bubble.link.title} ↗`, bubble.link.url, ""));
  if (choices.length) parts.push(make("div", "choices", "", ...choices));
  if (bubble.menu) parts.push(menu(bubble.menu));
  return parts;
}

function onMessage({ id, side, at, bubble }) {
  const log = $("log");
  const isAtEnd = log.scrollHeight - log.scrollTop - log.clientHeight < 80;
  log.querySelector(".empty")?.remove();
  const ticks = make("span", "ticks");
  const time = new Date(at * 1000).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
  const shown = make("div", `message ${side}`, "", ...body(bubble), make("div", "meta", time, ticks));
  messages.set(id, { shown, ticks, status: "" });
  if (side === "bot") showTyping(false);
  log.append(shown);
  if (isAtEnd) log.scrollTop = log.scrollHeight;
}

function onStatus({ id, status, code }) {
  const message = messages.get(id);
  if (!message || (RANK.includes(status) && RANK.indexOf(status) < RANK.indexOf(message.status))) return;
  message.status = status;
  message.ticks.className = `ticks ${status}`;
  message.ticks.textContent = (TICKS[status] ?? status) + (code && status !== "taken" ? ` (${code})` : "");
  message.ticks.title = status;
  message.ticks.setAttribute("aria-label", status);
}

function onReaction({ id, emoji }) {
  const message = messages.get(id);
  if (!message) return;
  message.shown.querySelector(".reaction")?.remove();
  message.shown.classList.toggle("reacted", Boolean(emoji));
  if (emoji) message.shown.append(make("span", "reaction", emoji));
}

function change(id, text, name) {
  const message = messages.get(id);
  const old = message?.shown.querySelector(".text");
  if (!old) return;
  old.textContent = text;
  message.shown.classList.add(name);
}

function showTyping(on) {
  clearTimeout(typing);
  $("typing").hidden = !on;
  if (on) typing = setTimeout(() => showTyping(false), TYPING_MS);
}

const ON = {
  begin: () => {
    messages.clear();
    $("log").replaceChildren(make("p", "empty", "Nothing has been said yet."));
    showTyping(false);
    complain("");
  },
  message: onMessage,
  status: onStatus,
  read: (event) => {
    onStatus({ id: event.id, status: "read" });
    if (event.typing) showTyping(true);
  },
  reaction: onReaction,
  edit: ({ id, text }) => change(id, `${text} (edited)`, "edited"),
  revoke: ({ id }) => change(id, "This message was deleted.", "gone"),
  pin: ({ id }) => messages.get(id)?.shown.querySelector(".meta").prepend("📌 "),
};

function open() {
  if (!$("number").checkValidity()) return;
  const who = chosen();
  history.replaceState(null, "", `#${$("account").value}/${who.from}`);
  source?.close();
  source = new EventSource(`/_sandbox/chat?${new URLSearchParams(who)}`);
  source.onmessage = ({ data }) => {
    const event = JSON.parse(data);
    ON[event.kind]?.(event);
  };
  source.onerror = () => complain("The sandbox is away. This page goes on by itself when it is back.");
}

async function begin() {
  const accounts = await (await fetch("/_sandbox/accounts")).json();
  for (const { provider, account, tenant } of accounts) {
    const option = make("option", "", `${provider} ${account}${tenant ? ` (${tenant})` : ""}`);
    option.value = [provider, account].map(encodeURIComponent).join("/");
    $("account").append(option);
  }
  const [provider, account, number] = location.hash.slice(1).split("/");
  if (number) {
    $("account").value = `${provider}/${account}`;
    $("number").value = number;
  }
  if (!$("account").value) $("account").selectedIndex = 0;
  open();
}

$("who").addEventListener("submit", (event) => event.preventDefault());
$("account").addEventListener("change", open);
$("number").addEventListener("change", open);
$("say").addEventListener("submit", (event) => {
  event.preventDefault();
  const text = $("text").value.trim();
  if (!text) return;
  $("text").value = "";
  receive({ text });
});
begin();
