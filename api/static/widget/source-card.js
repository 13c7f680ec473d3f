/** Where a statement comes from: the numbered button behind it, and the card that it opens. */

import { button, CLOSE, element, icon, link } from "./dom.js";

const DATED = { page: "changed", snapshot: "as_of" };

/**
 * The button of a source: a press puts its card at the end of `place`, the next takes it away.
 * The card stands in the text, as what floats over it is lost at 320 px and at high zoom.
 */
export function sourceButton(citation, place, texts) {
  let card = null;
  const name = texts.say("source", { number: citation.marker, title: citation.title });

  function close() {
    card.remove();
    card = null;
    marker.setAttribute("aria-expanded", "false");
    marker.focus();
  }

  const marker = button(`[${citation.marker}]`, () => {
    if (card) return close();
    card = sourceCard(citation, name, texts, close);
    place.append(card);
    marker.setAttribute("aria-expanded", "true");
    card.focus({ preventScroll: true });
    card.scrollIntoView({ block: "nearest" });
  }, { class: "marker", "aria-expanded": "false", "aria-label": name });
  return marker;
}

function sourceCard(citation, name, texts, close) {
  const { kind, quote, label } = citation;
  const card = element("div", { class: "card", role: "group", "aria-label": name, tabindex: "-1" }, [
    button(null, close, { class: "plain icon", "aria-label": texts.say("close_source") }),
    element("p", { class: "card-title", text: placeOf(citation, texts) }),
    badge(label, texts),
    kind === "summary"
      ? element("p", { class: "hint", text: texts.say("summary") })
      : quote && element("blockquote", {}, [element("p", { text: quote })]),
    element("p", {}, [link(texts.say("open_source"), citation.url, { class: "out" })]),
    element("p", { class: "hint" }, origin(citation, texts)),
  ]);
  card.firstChild.append(icon(CLOSE));
  card.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    event.stopPropagation(); // the card goes, the chat stays
    event.preventDefault();
    close();
  });
  return card;
}

/** Title, headings and page of a source, in one line. */
export function placeOf({ title, section, page }, texts) {
  const place = [...new Set([title, ...(section ?? [])].filter(Boolean))].join(" › ");
  return page ? `${place}, ${texts.say("page", { page })}` : place;
}

/** Required, Recommended or Informational, as the source labels it. */
export function badge(label, texts) {
  if (!["required", "recommended", "informational"].includes(label)) return null;
  return element("span", { class: `badge ${label}`, text: texts.say(`label_${label}`) });
}

function origin(citation, texts) {
  const { published, dated_by: datedBy, older, version, doi, licence, superseded_by: newer } = citation;
  const facts = [
    newer && link(texts.say("superseded"), newer),
    older && texts.say("older"),
    published && texts.say(DATED[datedBy] ?? "published", { date: texts.date(published) }),
    version && texts.say("version", { version }),
    doi && link(`DOI ${doi}`, `https://doi.org/${doi}`),
    licence && texts.say("licence", { licence }),
  ].filter(Boolean);
  return facts.flatMap((fact, place) => (place ? [" · ", fact] : [fact]));
}
