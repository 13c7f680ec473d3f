/**
 * What was asked and answered, in memory; across pages only where the site says so, and then until
 * the tab is closed. No DOM.
 */

const MAX_TURNS = 20; // of history, and MAX_CHARS of a turn: both set by the API
const MAX_CHARS = 4000;
const NAME = "helpdesk-chat";

export class Conversation {
  #exchanges = []; // {question, answer}
  #kept;

  /** `kept`: stays across the pages of a site, in this tab. */
  constructor({ kept = false } = {}) {
    this.#kept = kept;
    if (!kept) return;
    try {
      const found = JSON.parse(sessionStorage.getItem(NAME));
      if (found?.every(isExchange)) this.#exchanges = found;
    } catch {
      // Storage may be forbidden, or hold something else.
    }
  }

  get exchanges() {
    return [...this.#exchanges];
  }

  /** The turns to send along with the next question, oldest first. */
  get history() {
    return this.#exchanges
      .flatMap(({ question, answer }) => [
        { role: "user", text: cut(question) },
        { role: "assistant", text: cut(answer.text) },
      ])
      .filter(({ text }) => text.trim())
      .slice(-MAX_TURNS);
  }

  add(question, answer) {
    this.#exchanges.push({ question, answer });
    this.#store();
  }

  clear() {
    this.#exchanges = [];
    this.#store();
  }

  #store() {
    if (!this.#kept) return;
    try {
      if (this.#exchanges.length) sessionStorage.setItem(NAME, JSON.stringify(this.#exchanges));
      else sessionStorage.removeItem(NAME);
    } catch {
      // Full or forbidden: the conversation then lasts as long as the page.
    }
  }
}

/** Whether it is as we keep it: another version, or the page itself, may have written something else. */
function isExchange({ question, answer }) {
  const { text, statements, citations, items, follow_ups: offered } = answer;
  return [question, text].every((each) => typeof each === "string")
    && [statements, citations, items, offered].every(Array.isArray);
}

/** Cuts by code point: half a surrogate pair is not valid text for the server. */
export function cut(text) {
  return [...text].slice(0, MAX_CHARS).join("");
}
