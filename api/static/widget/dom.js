/**
 * Elements and addresses. Text enters the page only as text nodes, addresses only when they are
 * of the web or of mail: no HTML is ever parsed, so a page may forbid all of it.
 */

/** Line drawings, for `icon`. */
export const CLOSE = "M6 6l12 12M18 6L6 18";
export const RESTART = "M4 12a8 8 0 1 0 2.5-5.8M4 4v4.5h4.5";
export const SEND = "M4 12l16-8-5 16-3.5-6.5z";

/** An element with attributes (null: left out), its text, and children (falsy: left out). */
export function element(tag, { text, ...attributes } = {}, children = []) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== null && value !== undefined && value !== false) node.setAttribute(name, value === true ? "" : value);
  }
  if (text !== null && text !== undefined) node.textContent = text;
  node.append(...children.filter(Boolean));
  return node;
}

/** A button that does something; `attributes` as for `element`. */
export function button(text, act, attributes = {}) {
  const node = element("button", { type: "button", text, ...attributes });
  node.addEventListener("click", act);
  return node;
}

/** A line drawing of 24 by 24, in the colour of the text around it; says nothing aloud. */
export function icon(path) {
  const names = "http://www.w3.org/2000/svg";
  const drawing = document.createElementNS(names, "svg");
  drawing.setAttribute("viewBox", "0 0 24 24");
  drawing.setAttribute("aria-hidden", "true");
  const line = document.createElementNS(names, "path");
  line.setAttribute("d", path);
  drawing.append(line);
  return drawing;
}

/** A link in a new tab, as following it in this one would end the conversation; else plain text. */
export function link(text, url, attributes = {}) {
  const href = webAddress(url);
  if (!href) return element("span", { text });
  return element("a", { href, target: "_blank", rel: "noopener", text, ...attributes });
}

/** The text with the mail address in it as a link; behind it where the text leaves it out. */
export function withMailLink(text, email) {
  const href = mailAddress(email);
  if (!href) return [text];
  const [before, ...rest] = text.includes(email) ? text.split(email) : [`${text} `, ""];
  return [before, element("a", { href, text: email }), rest.join(email)];
}

export function webAddress(url) {
  // Of an element, as one that is named "baseURI" would stand in for the document's.
  const base = document.documentElement.baseURI;
  const parsed = URL.canParse(url ?? "", base) ? new URL(url, base) : null;
  return ["http:", "https:"].includes(parsed?.protocol) && url ? parsed.href : null;
}

/** No `?` or `&`: an address must not bring its own subject, copies or text. */
function mailAddress(email) {
  return /^[^\s@?&%#,;]+@[^\s@?&%#,;]+$/.test(email ?? "") ? `mailto:${email}` : null;
}
