/**
 * The helpdesk page: takes a question, asks `v1/answers`, shows the answer with its sources.
 *
 * Text from the server enters the page only as text nodes, addresses only through `webAddress`
 * and `mailAddress`. Nothing is kept outside the open page.
 */

const MAX_CHARS = 4000; // of a turn, and MAX_TURNS of history: both set by the API
const MAX_TURNS = 20;

const DATED = { page: "Last changed ", snapshot: "As of " };
const LABELS = { required: "Required", recommended: "Recommended", informational: "Informational" };
const ABSTENTIONS = {
  no_evidence: "No answer found in the sources",
  not_written_yet: "This page is not written yet",
  out_of_scope: "Outside what this helpdesk knows",
  unsafe: "Not answered here",
  unclear: "The question is not clear yet",
};

const form = document.getElementById("form");
const box = document.getElementById("question");
const country = document.getElementById("country");
const examples = document.getElementById("examples");
const answers = document.getElementById("answers");
const turns = document.getElementById("turns");
const statusLine = document.getElementById("status");

const conversation = [];
let underWay = null; // AbortController of the question being answered
let asked = 0;

// ---- the walk: ask, wait, show

async function ask(question) {
  underWay?.abort();
  const request = new AbortController();
  underWay = request;
  const turn = openTurn(question, request);
  try {
    const answer = await fetchAnswer(question, request.signal);
    const parts = answerParts(answer, turn.id);
    remember(question, answer.text);
    closeTurn(turn, parts, "The reply is ready.");
  } catch (error) {
    if (request.signal.aborted) closeTurn(turn, [note("Stopped before an answer came.")], "Stopped.");
    else closeTurn(turn, failureParts(error, question, turn), "");
  }
}

async function fetchAnswer(question, signal) {
  const response = await fetch("v1/answers", {
    method: "POST",
    headers: { "Content-Type": "application/json", Accept: "application/json" },
    body: JSON.stringify({ question, country: country.value || null, history: conversation.slice(-MAX_TURNS) }),
    signal,
  });
  if (!response.ok) throw await problemOf(response);
  return response.json();
}

/** The reader's sentence in an RFC 9457 problem; a proxy's error page has none. */
async function problemOf(response) {
  const problem = await response.json().catch(() => null);
  const detail = typeof problem?.detail === "string" ? problem.detail : problem?.title;
  const error = new Error(detail || `The helpdesk could not answer (error ${response.status}).`);
  error.name = "Problem";
  error.mayPass = response.status >= 500 || response.status === 429;
  return error;
}

function remember(question, reply) {
  conversation.push({ role: "user", text: cut(question) });
  if (reply) conversation.push({ role: "assistant", text: cut(reply) });
}

/** Cuts by code point: half a surrogate pair is not valid text for the server. */
function cut(text) {
  return [...text].slice(0, MAX_CHARS).join("");
}

// ---- a turn: the question, and under it what became of it

function openTurn(question, request) {
  const id = `turn-${(asked += 1)}`;
  const turn = element("article", { id, class: "turn", "aria-labelledby": `${id}-question` }, [
    element("h3", { id: `${id}-question`, tabindex: "-1", text: question }),
    element("div", { class: "reply", "aria-busy": "true" }, [
      element("p", { class: "busy", text: "Looking for an answer…" }),
      button("Stop", () => request.abort()),
    ]),
  ]);
  turns.prepend(turn);
  answers.hidden = false;
  examples.open = false;
  statusLine.textContent = "Looking for an answer…";
  focusHeading(turn, "h3");
  return turn;
}

function closeTurn(turn, parts, announcement) {
  const reply = turn.querySelector(".reply");
  const waitingHere = turn.contains(document.activeElement) || document.activeElement === document.body;
  reply.replaceChildren(...parts);
  reply.removeAttribute("aria-busy");
  if (turn !== turns.firstElementChild) return;
  statusLine.textContent = announcement;
  // Who has gone on to write the next question is left alone.
  if (waitingHere) focusHeading(turn, turn.querySelector("h4") ? "h4" : "h3");
}

function focusHeading(turn, level) {
  turn.querySelector(level).focus({ preventScroll: true });
  turn.scrollIntoView({ block: "start" });
}

function note(text) {
  return element("p", { class: "hint", text });
}

function failureParts(error, question, turn) {
  const known = error.name === "Problem";
  const text = known ? error.message : unreachable();
  const alert = element("p", { class: "box failure", role: "alert", text });
  if (known && !error.mayPass) {
    box.value ||= question; // to be changed and sent again
    return [alert];
  }
  const retry = () => {
    turn.remove();
    ask(question);
  };
  return [alert, button("Try again", retry)];
}

function unreachable() {
  const cause = navigator.onLine ? "The helpdesk cannot be reached just now." : "You seem to be offline.";
  return `${cause} Your question is still here: please try again in a moment.`;
}

// ---- an answer

function answerParts(answer, id) {
  const answered = answer.status === "answered";
  return [
    heading(answered ? "Answer" : ABSTENTIONS[answer.reason] ?? ABSTENTIONS.no_evidence),
    answered && answer.strength === "weak" && hedge(),
    answered && answer.statements?.length ? statementList(answer, id) : plainText(answer),
    answer.article && articleNote(answer.article),
    ...section("Matching resources", answer.items, (all) => itemList(all, id)),
    answer.next_step && nextStep(answer.next_step, answer.language),
    ...section(answered ? "Sources" : "The page", answer.citations, (all) => citationList(all, id)),
    ...section("You could also ask", answer.follow_ups, (all) => followUps(all, answer.language)),
    element("p", { class: "again" }, [element("a", { href: "#question", text: "Ask another question" })]),
  ].filter(Boolean);
}

function section(title, entries, show) {
  return entries?.length ? [heading(title), show(entries)] : [];
}

function heading(text) {
  return element("h4", { tabindex: "-1", text });
}

function hedge() {
  const advice = " The sources fit this question only loosely: please check them, or ask a person.";
  return element("p", { class: "box weak" }, [element("strong", { text: "Not certain." }), advice]);
}

function statementList(answer, id) {
  const entries = answer.statements.map(({ text, citations }) =>
    element("li", {}, [text, ...citations.flatMap((marker) => [" ", markerLink(marker, id)])]));
  return element("ul", { class: "answer statements", lang: answer.language }, entries);
}

function plainText({ status, language, text }) {
  return element("p", { class: status === "answered" ? "answer" : "answer box", lang: language, text });
}

function markerLink(marker, id) {
  const name = `[${marker}]`;
  const href = `#${id}-source-${marker}`;
  return element("a", { class: "marker", href, "aria-label": `Source ${name}`, lang: "en", text: name });
}

function articleNote({ reviewed_by: reviewer, checked }) {
  const review = reviewer ? `Reviewed by ${reviewer}` : "Not yet reviewed by a contact point";
  const check = checked ? ["; compared with its sources on ", dateOf(checked)] : [];
  return element("p", { class: "hint" }, [review, ...check, "."]);
}

function itemList(items, id) {
  const entries = items.map(({ title, url, label, kind, country: place, marker }) => element("li", {}, spaced([
    link(title, url),
    badge(label),
    element("span", { class: "hint", text: [kind, place].filter(Boolean).join(", ") }),
    marker != null && markerLink(marker, id),
  ])));
  return element("ul", { class: "items" }, entries);
}

function nextStep({ text, url, email }, language) {
  return element("div", { class: "box next" }, [
    element("p", { lang: language }, withMailLink(text, email)),
    webAddress(url) && element("p", {}, [link(url, url)]),
  ]);
}

/** The text with the address in it as a link; behind it where the text leaves it out. */
function withMailLink(text, email) {
  if (!mailAddress(email)) return [text];
  const [before, ...rest] = text.includes(email) ? text.split(email) : [`${text} `, ""];
  return [before, element("a", { href: mailAddress(email), text: email }), rest.join(email)];
}

function followUps(questions, language) {
  const entries = questions.map((text) => element("li", {}, [button(text, () => ask(text))]));
  return element("ul", { class: "choices", lang: language }, entries);
}

// ---- its sources

function citationList(citations, id) {
  return element("ol", { class: "sources" }, citations.map((citation) => citationEntry(citation, id)));
}

function citationEntry(citation, id) {
  const { marker, kind, label, quote } = citation;
  return element("li", { id: `${id}-source-${marker}`, value: marker, tabindex: "-1" }, [
    element("p", {}, spaced([link(placeOf(citation), citation.url), badge(label)])),
    kind === "summary"
      ? note("Summary of a page that is not indexed here: please read the linked page.")
      : quote && element("blockquote", {}, [element("p", { text: quote })]),
    element("p", { class: "hint" }, originOf(citation)),
  ]);
}

function placeOf({ title, section: path, page }) {
  const place = [title, ...(path ?? [])].filter(Boolean).join(" > ");
  return page ? `${place}, page ${page}` : place;
}

function originOf(citation) {
  const { published, dated_by: datedBy, older, version, doi, licence } = citation;
  const facts = [
    citation.superseded_by && ["Replaced by a ", link("newer document", citation.superseded_by)],
    older && ["Older page, no longer in the site's menus"],
    published && [DATED[datedBy] ?? "Published ", dateOf(published)],
    version && [`Version ${version}`],
    doi && ["DOI ", link(doi, `https://doi.org/${doi}`)],
    licence && [`Licence ${licence}`],
  ].filter(Boolean);
  return spaced(facts.map((fact) => element("span", { class: "fact" }, fact)));
}

function badge(label) {
  return LABELS[label] && element("span", { class: `badge ${label}`, text: LABELS[label] });
}

function dateOf(date) {
  const day = new Date(date);
  if (!/^\d{4}-\d{2}-\d{2}/.test(date) || Number.isNaN(day.valueOf())) return date;
  const text = day.toLocaleDateString("en-GB", { dateStyle: "long", timeZone: "UTC" });
  return element("time", { datetime: date, text });
}

// ---- elements and addresses

function element(tag, { text, ...attributes } = {}, children = []) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) if (value != null) node.setAttribute(name, value);
  if (text != null) node.textContent = text;
  node.append(...children.filter(Boolean));
  return node;
}

function button(text, act) {
  const node = element("button", { type: "button", text });
  node.addEventListener("click", act);
  return node;
}

function spaced(children) {
  return children.filter(Boolean).flatMap((child) => [child, " "]).slice(0, -1);
}

/** A new tab, because following a link in this one would lose the conversation. */
function link(text, url) {
  const href = webAddress(url);
  if (!href) return element("span", { text });
  return element("a", { href, target: "_blank", rel: "noopener", text });
}

function webAddress(url) {
  const parsed = URL.canParse(url ?? "") ? new URL(url) : null;
  return ["http:", "https:"].includes(parsed?.protocol) ? parsed.href : null;
}

/** No `?` or `&`: an address must not bring its own subject, copies or text. */
function mailAddress(email) {
  return /^[^\s@?&%#,;]+@[^\s@?&%#,;]+$/.test(email ?? "") ? `mailto:${email}` : null;
}

// ---- hands on the page

form.addEventListener("submit", (event) => {
  event.preventDefault();
  const question = box.value.trim();
  box.setCustomValidity(question ? "" : "Please write a question first.");
  if (!form.reportValidity()) return;
  box.value = "";
  ask(question);
});

box.addEventListener("input", () => box.setCustomValidity(""));

box.addEventListener("keydown", (event) => {
  // While an input method composes a character, Enter chooses the character.
  if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
  event.preventDefault();
  form.requestSubmit();
});

examples.addEventListener("click", ({ target }) => {
  if (target.matches("button")) ask(target.textContent);
});

document.getElementById("ask").hidden = false;
