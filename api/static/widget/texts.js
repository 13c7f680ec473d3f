/**
 * What the widget says, in the language of the page. The texts of each language are a module, so
 * that a page that allows our scripts allows them, too.
 */

const FALLBACK = "en";
const MINUTES_FROM_S = 120;
const HOURS_FROM_S = 7200;
const DAY_SPENT_FROM_S = 3601; // no shorter limit makes anybody wait as long
const SAME = { nb: "no", nn: "no" };
const DATES = { en: "en-GB" }; // days before months, as everybody else here writes them

/** The texts in the first of these languages that we speak. */
export async function loadTexts(wanted) {
  for (const language of [...wanted, FALLBACK]) {
    const code = shortCode(language);
    if (!code) continue;
    try {
      const { texts, contact } = await import(`./texts/${code}.js`);
      return new Texts(code, texts, contact);
    } catch (error) {
      if (code === FALLBACK) throw error;
    }
  }
}

function shortCode(language) {
  const code = /^([a-z]{2})\b/i.exec(language ?? "")?.[1].toLowerCase();
  return SAME[code] ?? code;
}

export class Texts {
  #texts;

  constructor(language, texts, contact) {
    this.language = language;
    this.contact = contact; // a mail address, for when the helpdesk itself cannot be reached
    this.#texts = texts;
  }

  /** A text with its {placeholders} filled. */
  say(key, values = {}) {
    return this.#texts[key].replace(/\{(\w+)\}/g, (whole, name) => values[name] ?? whole);
  }

  /** What went wrong with a call, in one or two sentences, with what to do. */
  failure({ status, waitSeconds }) {
    // A short form such as "sek." ends with a full stop already.
    if (status === 429) return this.later(waitSeconds || 60).replace(/\.\.$/, ".");
    if (status === 422 || status === 413) return this.say("refused");
    if (status) return this.say("failed", { email: this.contact });
    return navigator.onLine ? this.say("unreachable", { email: this.contact }) : this.say("offline");
  }

  /** When to come back: in a moment, or what is allowed in a day is used up. */
  later(seconds) {
    const key = seconds < DAY_SPENT_FROM_S ? "rate_limited" : "day_spent";
    return this.say(key, { wait: this.wait(seconds), email: this.contact });
  }

  /** A time to wait; in minutes or hours where seconds would be many. */
  wait(seconds) {
    const [amount, unit] =
      seconds < MINUTES_FROM_S ? [seconds, "second"]
      : seconds < HOURS_FROM_S ? [Math.ceil(seconds / 60), "minute"]
      : [Math.ceil(seconds / 3600), "hour"];
    return new Intl.NumberFormat([this.language, FALLBACK], { style: "unit", unit, unitDisplay: "short" }).format(amount);
  }

  country(code) {
    return new Intl.DisplayNames([this.language, FALLBACK], { type: "region" }).of(code);
  }

  /** An ISO date in words; anything else as it stands. */
  date(text) {
    const day = new Date(text);
    if (!/^\d{4}-\d{2}-\d{2}/.test(text) || Number.isNaN(day.valueOf())) return text;
    return day.toLocaleDateString([DATES[this.language] ?? this.language, DATES[FALLBACK]], { dateStyle: "long", timeZone: "UTC" });
  }
}
