/**
 * What was asked and answered, in memory; across pages only where the site says so, and then until
 * the tab is closed. No DOM.
 */

// All set by the API.
export const MAX_CHARS = 4000; // of a question, and of a turn sent along with it
const MAX_TURNS = 20; // sent along with a question
const MAX_TRANSCRIPT = 200; // turns handed over to a person
const MAX_TRANSCRIPT_CHARS = 20_000; // of one of them
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
    return turns(this.#exchanges, MAX_CHARS).slice(-MAX_TURNS);
  }

  /** The turns to hand over to a person, oldest first: up to this answer, or all of them. */
  transcript(answer = null) {
    const place = this.#exchanges.findIndex((each) => each.answer === answer);
    const told = place < 0 ? this.#exchanges : this.#exchanges.slice(0, place + 1);
    return turns(told, MAX_TRANSCRIPT_CHARS).slice(-MAX_TRANSCRIPT);
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

function turns(exchanges, maxChars) {
  return exchanges
    .flatMap(({ question, answer }) => [
      { role: "user", text: cut(question, maxChars) },
      { role: "assistant", text: cut(answer.text, maxChars) },
    ])
    .filter(({ text }) => text.trim());
}

/** Whether it is as we keep it: another version, or the page itself, may have written something else. */
function isExchange({ question, answer }) {
  const { text, statements, citations, items, follow_ups: offered } = answer;
  return [question, text].every((each) => typeof each === "string")
    && [statements, citations, items, offered].every(Array.isArray);
}

/** Cuts by code point: half a surrogate pair is not valid text for the server. */
export function cut(text, maxChars = MAX_CHARS) {
  return [...text].slice(0, maxChars).join("");
}
