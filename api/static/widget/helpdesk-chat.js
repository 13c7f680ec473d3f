/**
 * `<helpdesk-chat>`: a conversation with the helpdesk.
 *
 * Attributes
 *   language     of what the widget itself says; else the page's, else the browser's
 *   country      ISO 3166-1 code that questions are asked for, such as PT
 *   theme        `light` or `dark`; else as the visitor prefers
 *   questions    examples to begin with, parted by `|`
 *   privacy-url  the site's privacy notice
 *   server       address of the helpdesk; else where this file came from
 *   keep         keeps the conversation across pages of the site, until the tab is closed
 *   floating     `bottom-right` or `bottom-left`: opened as a dialog; else it stands in the page
 *
 * Methods: `open()`, `close()`, `ask(question)`, `restart()`.
 *
 * Events, which bubble and leave the shadow; none carries what a visitor wrote:
 *   helpdesk-open, helpdesk-close, helpdesk-question,
 *   helpdesk-answer {id, status, reason, strength}, helpdesk-error {status},
 *   helpdesk-feedback {id, helpful}, helpdesk-ticket {id}
 *
 * Nothing is asked of the server before the first question, and nothing is stored.
 */

import { askHelpdesk } from "./answer-stream.js";
import { answerParts } from "./answer-view.js";
import { post } from "./calls.js";
import { Conversation, cut, MAX_CHARS } from "./conversation.js";
import { button, CLOSE, element, icon, link, RESTART, SEND, webAddress, withMailLink } from "./dom.js";
import { COUNTRIES, handOverForm } from "./hand-over.js";
import { replyTools } from "./reply-tools.js";
import { sheet } from "./styles.js";
import { loadTexts } from "./texts.js";

const HOME = new URL("..", import.meta.url);
const ABOVE = 8; // pixels that stay free above a question
const FULL_SCREEN = "(max-width: 30rem), (max-height: 30rem)";

export class HelpdeskChat extends HTMLElement {
  static observedAttributes = ["language", "questions"];

  #texts = null;
  #talk = null; // Conversation
  #underWay = null; // AbortController of the question being answered
  #parts = {}; // elements that are written to
  #drawn = null; // promise of the last drawing
  #scrolledTo = 0; // where the log was put last

  connectedCallback() {
    if (!this.shadowRoot) {
      this.attachShadow({ mode: "open", delegatesFocus: false });
      this.shadowRoot.adoptedStyleSheets = [sheet];
      // Until the texts are there, what the page put inside is shown.
      this.shadowRoot.append(element("slot"));
    }
    this.#talk ??= new Conversation({ kept: this.hasAttribute("keep") });
    this.#ready().catch(() => {}); // what the page put inside stays
  }

  disconnectedCallback() {
    this.#underWay?.abort();
  }

  attributeChangedCallback() {
    if (this.#texts) this.#redraw().catch(() => {});
  }

  /** Opens a floating chat and puts the focus into it. */
  async open() {
    await this.#ready();
    const { frame, box } = this.#parts;
    if (this.#floats && !frame.open) {
      // Where it covers the page, the page must not be reached behind it.
      if (matchMedia(FULL_SCREEN).matches) frame.showModal();
      else frame.show();
      this.#tell("helpdesk-open");
    }
    box.focus();
  }

  /** Closes a floating chat; the conversation stays. */
  close() {
    this.#parts.frame?.close?.();
  }

  /** Asks a question as if it were typed; `language` is the wanted one of the reply. */
  async ask(question, language = null) {
    await this.#ready();
    const text = String(question).trim();
    if (!text) return;
    this.#underWay?.abort();
    const request = new AbortController();
    this.#underWay = request;
    const turn = this.#beginTurn(text, request);
    this.#tell("helpdesk-question");
    try {
      const answer = await this.#answer(text, language, turn, request.signal);
      request.signal.throwIfAborted();
      this.#showAnswer(turn, text, answer);
      this.#talk.add(text, answer);
      this.#show(turn.turn, { unlessMoved: true });
      this.#say(answer.text, answer.language);
      const { id, status, reason, strength } = answer;
      this.#tell("helpdesk-answer", { id, status, reason, strength });
    } catch (error) {
      this.#showFailure(turn, text, language, error, request);
    } finally {
      if (this.#underWay === request) this.#underWay = null;
    }
  }

  /** Forgets the conversation and begins anew. */
  restart() {
    if (!this.#talk) return; // was never on a page
    this.#underWay?.abort();
    this.#underWay = null;
    this.#talk.clear();
    this.#removeTurns();
    if (this.#parts.box) this.#parts.box.value = "";
    this.#redraw().then(() => this.#parts.box.focus(), () => {});
  }

  /** Once it is drawn; where that failed, as without a network, it is tried again. */
  #ready() {
    return this.#drawn ?? this.#redraw();
  }

  /** One drawing after another; where one fails, what was drawn before it stays. */
  #redraw() {
    const before = this.#drawn?.catch(() => {});
    this.#drawn = Promise.resolve(before).then(() => this.#draw()).catch((error) => {
      if (this.#parts.frame) return;
      this.#drawn = null;
      throw error;
    });
    return this.#drawn;
  }

  get #floats() {
    return this.hasAttribute("floating");
  }

  get #server() {
    return new URL(this.getAttribute("server") || HOME, this.baseURI);
  }

  get #country() {
    const code = this.getAttribute("country")?.trim().toUpperCase();
    const country = { UK: "GB", EL: "GR" }[code] ?? code;
    // With one that is none every question would be refused.
    return COUNTRIES.includes(country) ? country : null;
  }

  // ---- the frame

  async #draw() {
    const wanted = [this.getAttribute("language"), document.documentElement.lang, ...navigator.languages];
    this.#texts = await loadTexts(wanted);
    const { frame: old, log, box } = this.#parts;
    const [open, modal] = [old?.open, old?.matches(":modal")];
    const underWay = log?.querySelectorAll(".turn:has([aria-busy])") ?? [];
    const focused = this.matches(":focus-within");
    this.shadowRoot.replaceChildren(this.#frame());
    // At first what is typed already stands in the form that the page put inside.
    this.#parts.box.value = (box ?? this.querySelector("textarea"))?.value ?? "";
    try {
      for (const { question, answer } of this.#talk.exchanges) {
        this.#showAnswer(this.#turn(question), question, answer);
      }
    } catch {
      // Kept in the shape of another version.
      this.#talk.clear();
      this.#removeTurns();
    }
    this.#parts.log.append(...underWay);
    if (open) this.#parts.frame[modal ? "showModal" : "show"]();
    if (focused) this.#parts.box.focus();
  }

  #removeTurns() {
    for (const each of this.#parts.log?.querySelectorAll(".turn") ?? []) each.remove();
  }

  #frame() {
    const say = (key) => this.#texts.say(key);
    const log = element("div", { class: "log", role: "log", "aria-label": say("log"), "aria-live": "off", tabindex: "0" }, [
      this.#welcome(),
    ]);
    // The one place that is read aloud: what changes in the log is said here once it is whole.
    const status = element("p", { class: "unseen", "aria-live": "polite" });
    const frame = element(this.#floats ? "dialog" : "section", {
      class: "frame",
      lang: this.#texts.language,
      "aria-labelledby": "title",
    }, [this.#head(), log, status, this.#asking()]);
    Object.assign(this.#parts, { frame, log, status });
    frame.addEventListener("close", () => this.#tell("helpdesk-close"));
    frame.addEventListener("keydown", (event) => {
      if (event.key === "Escape" && !event.isComposing && this.#floats) this.close();
    });
    return frame;
  }

  #head() {
    const say = (key) => this.#texts.say(key);
    const restart = button(null, () => this.restart(), { class: "plain icon", "aria-label": say("restart"), title: say("restart") });
    restart.append(icon(RESTART));
    const close = this.#floats && button(null, () => this.close(), { class: "plain icon", "aria-label": say("close"), title: say("close") });
    if (close) close.append(icon(CLOSE));
    return element("header", {}, [element("h2", { id: "title", text: say("title") }), restart, close]);
  }

  #welcome() {
    const own = (this.getAttribute("questions") ?? "").split("|").map((each) => each.trim()).filter(Boolean);
    const examples = own.length ? own : ["engage", "find", "share", "pipeline"].map((each) => this.#texts.say(`example_${each}`));
    const language = own.length ? null : this.#texts.language;
    const privacy = this.getAttribute("privacy-url");
    return element("div", { class: "welcome" }, [
      element("p", { class: "notice", text: this.#texts.say("notice") }),
      webAddress(privacy) && element("p", {}, [link(this.#texts.say("privacy"), privacy)]),
      element("p", { text: this.#texts.say("welcome") }),
      element("ul", { class: "choices", "aria-label": this.#texts.say("examples") }, examples.map((text) =>
        element("li", {}, [button(text, () => this.ask(text, language))]))),
    ]);
  }

  #asking() {
    const say = (key) => this.#texts.say(key);
    const box = element("textarea", {
      id: "question", rows: "2", maxlength: String(MAX_CHARS), enterkeyhint: "send", "aria-describedby": "hint",
    });
    const send = element("button", { class: "primary icon", "aria-label": say("send"), title: say("send") }, [icon(SEND)]);
    const form = element("form", { class: "asking" }, [
      element("label", { for: "question", text: say("question") }),
      element("div", { class: "line" }, [box, send]),
      element("div", { class: "below" }, [
        element("p", { class: "hint", id: "hint", text: say("hint") }),
        button(say("person"), () => this.#handOver(box.value.trim()), { class: "link" }),
      ]),
    ]);
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      const question = box.value.trim();
      if (!question) return box.focus();
      box.value = "";
      this.ask(question);
    });
    box.addEventListener("keydown", (event) => {
      // While an input method composes a character, Enter chooses the character.
      if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
      event.preventDefault();
      form.requestSubmit();
    });
    Object.assign(this.#parts, { box, form });
    return form;
  }

  // ---- a turn

  #turn(question) {
    const reply = element("div", { class: "reply" });
    const turn = element("article", { class: "turn", "aria-label": question }, [
      element("p", { class: "asked" }, [element("span", { class: "unseen", text: `${this.#texts.say("you_asked")} ` }), question]),
      reply,
    ]);
    this.#parts.log.append(turn);
    return { turn, reply };
  }

  #beginTurn(question, request) {
    const place = this.#turn(question);
    const wait = this.#texts.say("searching");
    place.busy = element("p", { class: "busy", text: wait });
    place.text = element("p", { class: "streamed" });
    place.stop = button(this.#texts.say("stop"), () => request.abort(), { class: "small" });
    place.reply.append(place.busy, place.text, place.stop);
    place.reply.setAttribute("aria-busy", "true");
    this.#say(wait);
    this.#show(place.turn);
    return place;
  }

  async #answer(question, language, place, signal) {
    const asked = { question: cut(question), history: this.#talk.history, country: this.#country, language };
    for await (const { event, data } of askHelpdesk(this.#server, asked, signal)) {
      if (event === "answer") return data;
      if (event === "delta") {
        place.busy.hidden = true;
        place.text.append(data.text);
      }
    }
  }

  #showAnswer({ turn, reply }, question, answer) {
    const tools = replyTools(answer, this.#texts, {
      announce: (text) => this.#say(text),
      handOver: () => this.#handOver(question, answer),
      rate: async (rating) => {
        await post(this.#server, "v1/feedback", { answer_id: answer.id, ...rating });
        this.#tell("helpdesk-feedback", { id: answer.id, helpful: rating.helpful });
      },
    });
    this.#settle(reply, [...answerParts(answer, this.#texts, (text, language) => this.ask(text, language)), tools]);
    turn.classList.toggle("abstained", answer.status === "abstained");
  }

  #showFailure({ turn, reply, text }, question, language, error, request) {
    const stopped = request.signal.aborted;
    const before = this.#talk.transcript();
    const said = stopped ? this.#texts.say("stopped") : this.#texts.failure(error);
    const again = button(this.#texts.say("retry"), () => {
      turn.remove();
      this.#parts.box.focus();
      this.ask(question, language);
    }, { class: "small" });
    const wait = error.waitSeconds ?? 0;
    if (wait) {
      again.disabled = true;
      setTimeout(() => (again.disabled = false), wait * 1000);
    }
    this.#settle(reply, [
      text.textContent && text,
      element("p", { class: stopped ? "hint" : "box failure" }, stopped ? [said] : withMailLink(said, this.#texts.contact)),
      element("div", { class: "tools" }, [again, button(this.#texts.say("person"), () => this.#handOver(question, null, before), { class: "small" })]),
    ]);
    // Another question, or a fresh chat, may have taken its place.
    if (this.#underWay === request && turn.isConnected) this.#say(said);
    if (!stopped) this.#tell("helpdesk-error", { status: error.status ?? null });
  }

  /** Puts the parts of a reply in place of what was there; focus is not lost with it. */
  #settle(reply, parts) {
    const focused = reply.contains(this.shadowRoot.activeElement);
    reply.replaceChildren(...parts.filter(Boolean));
    reply.removeAttribute("aria-busy");
    if (focused) this.#parts.box.focus();
  }

  // ---- a person

  /** With the conversation up to the answer that was not enough; without a question, about the last. */
  #handOver(question, answer = null, history = this.#talk.transcript(answer)) {
    const { form: asking, log } = this.#parts;
    const last = this.#talk.exchanges.at(-1);
    if (!question && last) return this.#handOver(last.question, last.answer);
    const language = (answer ?? last?.answer)?.language ?? this.#texts.language;
    const leave = () => {
      place.replaceWith(asking);
      log.hidden = false;
      this.#parts.box.focus();
    };
    const { form, focus } = handOverForm(this.#texts, { question, country: this.#country }, {
      privacyUrl: this.getAttribute("privacy-url"),
      leave,
      send: async (request) => {
        const body = { ...request, answer_id: answer?.id ?? null, history, language };
        const sent = await (await post(this.#server, "v1/tickets", body)).json();
        this.#say(this.#texts.say("request_sent"));
        this.#tell("helpdesk-ticket", { id: sent.ticket.id });
        return sent;
      },
    });
    const place = element("div", { class: "person" }, [form]);
    place.addEventListener("keydown", (event) => {
      if (event.key !== "Escape" || event.isComposing) return;
      event.stopPropagation();
      event.preventDefault(); // a full-screen dialog would close, too
      leave();
    });
    asking.replaceWith(place);
    log.hidden = true;
    focus();
  }

  // ---- telling

  #say(text, language = this.#texts.language) {
    this.#parts.status.lang = language;
    this.#parts.status.textContent = text;
  }

  #tell(name, detail = null) {
    this.dispatchEvent(new CustomEvent(name, { detail, bubbles: true, composed: true }));
  }

  /** Brings a question to the top, so that its answer is read from the beginning. */
  #show(turn, { unlessMoved = false } = {}) {
    const { log } = this.#parts;
    // Before there is an answer, there may be too little below it; who has scrolled since, reads.
    if (unlessMoved && Math.abs(log.scrollTop - this.#scrolledTo) > 1) return;
    log.scrollTop = turn.offsetTop - log.offsetTop - ABOVE;
    this.#scrolledTo = log.scrollTop;
  }
}
