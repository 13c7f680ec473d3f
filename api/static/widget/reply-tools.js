/** What can be done with an answer: copy it, say whether it helped, ask a person. */

import { button, element, withMailLink } from "./dom.js";
import { plainAnswer } from "./answer-view.js";

const COPIED_MS = 2000;
const MAX_COMMENT = 2000; // set by the API

/**
 * The row of tools below an answer.
 *
 * @param rate Sends `{helpful, comment}`; rejects where it could not.
 * @param handOver Opens the form to a person.
 * @param announce Says a text to who cannot see the change.
 */
export function replyTools(answer, texts, { rate, handOver, announce }) {
  const row = element("div", { class: "tools" }, [
    canCopy() && copyButton(answer, texts, announce),
    button(texts.say("person"), () => handOver(), { class: "small" }),
  ]);
  return element("div", {}, [row, ratingOf(texts, rate, announce)]);
}

/** Browsers copy only on pages that came over an encrypted line. */
function canCopy() {
  return Boolean(navigator.clipboard?.writeText);
}

function copyButton(answer, texts, announce) {
  const copy = button(texts.say("copy"), async () => {
    try {
      await navigator.clipboard.writeText(plainAnswer(answer, texts));
    } catch {
      return; // a page may forbid it
    }
    copy.textContent = texts.say("copied");
    announce(texts.say("copied"));
    setTimeout(() => (copy.textContent = texts.say("copy")), COPIED_MS);
  }, { class: "small" });
  return copy;
}

function ratingOf(texts, rate, announce) {
  const group = element("div", { class: "rating", role: "group", "aria-label": texts.say("helpful") });
  const trouble = element("p", { class: "box failure" });
  let sending = false;

  /** Sends it, then goes on; where that fails, all stays as it is, to be sent again. */
  async function send(given, goOn) {
    if (sending) return;
    mark(true);
    trouble.remove();
    try {
      await rate(given);
      goOn();
    } catch (error) {
      if (error.status === 404) return end("feedback_expired");
      const said = texts.failure(error);
      trouble.replaceChildren(...withMailLink(said, texts.contact));
      group.append(trouble);
      announce(said);
    } finally {
      mark(false);
    }
  }

  /** Not `disabled`, which would take the focus away. */
  function mark(now) {
    sending = now;
    for (const each of group.querySelectorAll("button")) each.setAttribute("aria-disabled", String(now));
  }

  function end(key) {
    const last = element("p", { class: "hint", tabindex: "-1", text: texts.say(key) });
    group.replaceChildren(last);
    last.focus();
    announce(texts.say(key));
  }

  function askWhy(helpful) {
    const box = element("textarea", { rows: "2", maxlength: String(MAX_COMMENT) });
    const form = element("form", { class: "comment" }, [
      element("label", {}, [element("span", { text: texts.say("comment") }), box]),
      element("button", { class: "small", text: texts.say("send_comment") }),
    ]);
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      const comment = box.value.trim();
      if (comment) send({ helpful, comment }, () => end("thanks"));
      else end("thanks");
    });
    group.replaceChildren(element("p", { class: "hint", text: texts.say("thanks") }), form);
    announce(texts.say("thanks"));
    box.focus();
  }

  const give = (helpful) => send({ helpful, comment: null }, () => askWhy(helpful));
  group.append(
    element("span", { class: "hint", "aria-hidden": "true", text: texts.say("helpful") }),
    button(texts.say("rate_yes"), () => give(true), { class: "small" }),
    button(texts.say("rate_no"), () => give(false), { class: "small" }),
  );
  return group;
}
