/** An answer on the page: its statements with their sources, what to do next, what to ask next. */

import { button, element, link, webAddress, withMailLink } from "./dom.js";
import { badge, placeOf, sourceButton } from "./source-card.js";

/**
 * The parts of an answer, top to bottom.
 *
 * @param answer As the API gives it.
 * @param texts What the widget says.
 * @param ask Called with a question that is offered and chosen.
 */
export function answerParts(answer, texts, ask) {
  const sources = new Map(answer.citations.map((each) => [each.marker, each]));
  const { prose, entries } = partedStatements(answer);
  return [
    opening(answer),
    ...prose.map((each) => statement(each, sources, texts, "div")),
    entries.length && element("ul", { class: "items" }, entries.map((each) => item(each, sources, texts))),
    // The one citation of a refusal is the page that is still empty.
    answer.status === "abstained" && answer.citations.map((each) => element("p", {}, [link(each.title, each.url)]))[0],
    answer.article && element("p", { class: "hint", text: reviewOf(answer.article, texts) }),
    answer.next_step && nextStep(answer),
    answer.follow_ups.length && followUps(answer, texts, ask),
  ].filter(Boolean);
}

/** What stands before the statements: a hedge, a refusal, the language of the sources. */
function opening({ text, statements, strength, status, language }) {
  const first = statements.length ? text.indexOf(statements[0].text) : text.length;
  const said = text.slice(0, Math.max(first, 0)).replace(/\n- $/, "").trim();
  if (!said) return null;
  const kind = status === "abstained" || strength === "weak" ? "box" : "hint";
  return element("p", { class: `${kind} opening`, lang: language, text: said });
}

/** Statements that name an item become its entry in the list; the others are prose. */
function partedStatements({ statements, items }) {
  const left = [...items];
  const entries = [];
  const prose = [];
  for (const each of statements) {
    const place = left.findIndex(({ title, marker }) => each.citations.includes(marker) && names(each.text, title));
    if (place < 0) prose.push(each);
    else entries.push({ item: left.splice(place, 1)[0], statement: each });
  }
  return { prose, entries: [...entries, ...left.map((each) => ({ item: each, statement: null }))] };
}

/** Whether a statement is an item of a list, with or without the heading of the list before it. */
function names(text, title) {
  return text.startsWith(title) || text.endsWith(`: ${title}`);
}

function statement({ text, citations, language }, sources, texts, tag) {
  const place = element(tag, { class: "statement" });
  const markers = citations.filter((marker) => sources.has(marker));
  place.append(element("p", { lang: language }, [
    text,
    ...markers.flatMap((marker) => [" ", sourceButton(sources.get(marker), place, texts)]),
  ]));
  return place;
}

function item({ item: { title, url, label, country, marker }, statement: said }, sources, texts) {
  const place = element("li", { class: "statement" });
  const more = said ? said.text.slice(said.text.indexOf(title) + title.length).replace(/ \((required|recommended|informational)\)$/, "") : "";
  place.append(element("p", {}, [
    link(title, url),
    more,
    label && " ",
    badge(label, texts),
    country && element("span", { class: "hint", text: ` ${texts.country(country)}` }),
    sources.has(marker) && " ",
    sources.has(marker) && sourceButton(sources.get(marker), place, texts),
  ]));
  return place;
}

function reviewOf({ reviewed_by: role }, texts) {
  return role ? texts.say("reviewed", { role }) : texts.say("not_reviewed");
}

function nextStep({ next_step: { text, url, email }, citations, language }) {
  const shown = citations.some((each) => each.url === url);
  return element("div", { class: "next", lang: language }, [
    element("p", {}, withMailLink(text, email)),
    webAddress(url) && !shown && element("p", {}, [link(url, url)]),
  ]);
}

function followUps({ follow_ups: questions, language }, texts, ask) {
  return element("div", { class: "follow-ups" }, [
    element("p", { class: "hint", text: texts.say("ask_next") }),
    element("ul", { class: "choices", lang: language }, questions.map((text) =>
      element("li", {}, [button(text, () => ask(text, language))]))),
  ]);
}

/** An answer as plain text with its sources, to be pasted elsewhere. */
export function plainAnswer(answer, texts) {
  const sources = answer.citations.map((each) =>
    [`[${each.marker}] ${placeOf(each, texts)}`, each.url].filter(Boolean).join("\n    "));
  return [answer.text, answer.next_step?.text, sources.join("\n")].filter(Boolean).join("\n\n");
}
