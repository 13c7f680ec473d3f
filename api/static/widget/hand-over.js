/** The short form by which a conversation is handed to a person. */

import { button, element, link, webAddress } from "./dom.js";
import { cut, MAX_CHARS } from "./conversation.js";

/** The countries that the API takes: the EU, Norway and the United Kingdom, by ISO 3166-1. */
export const COUNTRIES = (
  "AT BE BG HR CY CZ DK EE FI FR DE GR HU IE IT LV LT LU MT NL NO PL PT RO SK SI ES SE GB"
).split(" ");

/**
 * The form, in place of the chat until it is sent or left.
 *
 * @param given What is known already: `question`, `country`.
 * @param send Sends the request; resolves to `{ticket, link}`, rejects where it could not.
 * @param leave Takes the form away.
 */
export function handOverForm(texts, given, { privacyUrl, send, leave }) {
  const field = {
    question: element("textarea", { rows: "4", maxlength: String(MAX_CHARS), required: true, name: "question" }),
    email: element("input", { type: "email", autocomplete: "email", required: true, maxlength: "254", name: "email" }),
    name: element("input", { type: "text", autocomplete: "name", maxlength: "200", name: "name" }),
    country: countryChoice(texts, given.country),
    consent: element("input", { type: "checkbox", required: true, name: "consent" }),
  };
  field.question.value = given.question ?? "";
  const trouble = element("p", { class: "box failure", role: "alert", hidden: true });
  const submit = element("button", { class: "primary", text: texts.say("send_request") });
  const heading = element("h3", { tabindex: "-1", text: texts.say("person") });
  const errors = [];

  // Checked by ourselves: browsers tell in their own language and not in the page's.
  const form = element("form", { class: "hand-over", novalidate: true }, [
    heading,
    element("p", { class: "hint", text: texts.say("person_intro") }),
    labelled(texts.say("field_question"), field.question, check("error_question", () => field.question.value.trim())),
    labelled(texts.say("field_email"), field.email, check("error_email", () => field.email.value && field.email.checkValidity())),
    labelled(texts.say("field_name"), field.name),
    labelled(texts.say("field_country"), field.country),
    consentLine(texts, field.consent, privacyUrl, check("error_consent", () => field.consent.checked)),
    trouble,
    element("div", { class: "tools" }, [submit, button(texts.say("back"), leave)]),
  ]);

  function check(key, passes) {
    const told = element("p", { class: "wrong", id: `helpdesk-${key}`, hidden: true, text: texts.say(key) });
    errors.push({ told, passes });
    return told;
  }

  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    trouble.hidden = true;
    const wrong = errors.filter(({ told, passes }) => (told.hidden = Boolean(passes())) === false);
    for (const { told } of errors) {
      form.querySelector(`[aria-describedby="${told.id}"]`).setAttribute("aria-invalid", String(!told.hidden));
    }
    if (wrong.length) return form.querySelector('[aria-invalid="true"]').focus();
    submit.disabled = true;
    try {
      const sent = await send({
        question: cut(field.question.value.trim()),
        name: field.name.value.trim() || null,
        email: field.email.value.trim(),
        country: field.country.value || null,
        consent: field.consent.checked,
      });
      const receipt = receiptOf(sent, texts, leave);
      form.replaceWith(receipt);
      receipt.focus();
    } catch (error) {
      trouble.textContent = texts.failure(error);
      trouble.hidden = false;
    } finally {
      submit.disabled = false;
    }
  });
  return { form, focus: () => heading.focus() };
}

function labelled(name, control, error) {
  if (error) control.setAttribute("aria-describedby", error.id);
  return element("div", { class: "field" }, [element("label", {}, [element("span", { text: name }), control]), error]);
}

function consentLine(texts, box, privacyUrl, error) {
  box.setAttribute("aria-describedby", error.id);
  return element("div", { class: "field" }, [
    element("label", { class: "consent" }, [box, element("span", { text: texts.say("consent") })]),
    webAddress(privacyUrl) && element("p", {}, [link(texts.say("privacy"), privacyUrl)]),
    error,
  ]);
}

function countryChoice(texts, chosen) {
  const named = COUNTRIES.map((code) => [code, texts.country(code)]);
  named.sort(([, one], [, other]) => one.localeCompare(other, texts.language));
  const select = element("select", { name: "country" }, [
    element("option", { value: "", text: texts.say("no_country") }),
    ...named.map(([code, name]) => element("option", { value: code, text: name })),
  ]);
  select.value = COUNTRIES.includes(chosen) ? chosen : "";
  return select;
}

function receiptOf({ ticket, link: address }, texts, leave) {
  return element("div", { class: "hand-over", tabindex: "-1" }, [
    element("h3", { text: texts.say("request_sent") }),
    element("p", { text: texts.say("ticket_number", { id: ticket.id }) }),
    element("p", {}, [`${texts.say("ticket_link")} `, link(address, address)]),
    element("div", { class: "tools" }, [button(texts.say("back"), leave)]),
  ]);
}
