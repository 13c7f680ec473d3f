/**
 * `/widget.js`: one script tag puts the launcher of the helpdesk on a page. The chat itself is
 * loaded when it is first opened. A `<helpdesk-chat>` that the page holds already is brought to
 * life instead, and no launcher is shown.
 */
(() => {
  const TEXTS = {}; // by language {launcher, unreachable}: filled in by the server

  // Asked of the prototype: an element named "currentScript" in the page would stand in for it.
  const script = Object.getOwnPropertyDescriptor(Document.prototype, "currentScript").get.call(document);
  if (!script) return; // loaded as a module, which does not tell where from
  const home = new URL(".", script.src);
  const given = script.dataset;
  const PASSED_ON = ["language", "country", "theme", "questions", "privacyUrl", "keep"];

  function texts() {
    const wanted = [given.language, document.documentElement.lang, ...navigator.languages, "en"];
    const codes = wanted.map((each) => (each ?? "").split("-")[0].toLowerCase());
    return TEXTS[codes.map((code) => ({ nb: "no", nn: "no" })[code] ?? code).find((code) => code in TEXTS)];
  }

  const STYLE = `
    :host { color-scheme: light dark; }
    :host([theme="light"]) { color-scheme: light; }
    :host([theme="dark"]) { color-scheme: dark; }
    button {
      position: fixed; z-index: 2147482999; inset: auto 1rem 1rem auto; display: flex; align-items: center; gap: 0.5rem;
      min-block-size: 3rem; padding: 0 1.125rem; border: 2px solid var(--helpdesk-on-primary, light-dark(#fff, #0b1d2b));
      border-radius: 1.5rem; cursor: pointer; box-shadow: 0 0.125rem 0.75rem rgb(0 0 0 / 0.3);
      background: var(--helpdesk-primary, light-dark(#14466b, #9accf3)); color: var(--helpdesk-on-primary, light-dark(#fff, #0b1d2b));
      font: 600 1rem/1.2 var(--helpdesk-font, system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", "Liberation Sans", sans-serif);
    }
    :host([position="bottom-left"]) button { inset: auto auto 1rem 1rem; }
    button:focus-visible { outline: 3px solid var(--helpdesk-focus, light-dark(#b04a00, #ffb454)); outline-offset: 2px; }
    svg { inline-size: 1.375rem; fill: none; stroke: currentColor; stroke-width: 2; stroke-linejoin: round; }
    @media print { button { display: none; } }`;

  function icon() {
    const drawing = document.createElementNS("http://www.w3.org/2000/svg", "svg");
    drawing.setAttribute("viewBox", "0 0 24 24");
    drawing.setAttribute("aria-hidden", "true");
    const line = document.createElementNS("http://www.w3.org/2000/svg", "path");
    line.setAttribute("d", "M4 5h16v11H11l-5 4v-4H4z");
    drawing.append(line);
    return drawing;
  }

  const load = () => import(new URL("widget/define.js", home));

  function chatOf() {
    const chat = document.createElement("helpdesk-chat");
    for (const name of PASSED_ON) {
      if (Object.hasOwn(given, name)) chat.setAttribute(name.replace("privacyUrl", "privacy-url"), given[name]);
    }
    chat.setAttribute("floating", given.position === "bottom-left" ? "bottom-left" : "bottom-right");
    return chat;
  }

  function putLauncher() {
    const { launcher: label, unreachable } = texts();
    const place = document.createElement("div");
    place.dataset.helpdesk = "launcher";
    if (given.theme) place.setAttribute("theme", given.theme);
    if (given.position) place.setAttribute("position", given.position);
    const shadow = place.attachShadow({ mode: "open" });
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(STYLE);
    shadow.adoptedStyleSheets = [sheet];
    const launcher = document.createElement("button");
    launcher.type = "button";
    launcher.setAttribute("aria-haspopup", "dialog");
    launcher.setAttribute("aria-expanded", "false");
    const name = document.createElement("span");
    name.textContent = label;
    launcher.append(icon(), name);
    shadow.append(launcher);
    document.body.append(place);

    let chat = null;
    launcher.addEventListener("click", async () => {
      if (launcher.getAttribute("aria-expanded") === "true") return chat.close();
      if (launcher.hasAttribute("aria-busy")) return;
      launcher.setAttribute("aria-busy", "true");
      // Who has moved on to something else while it loads, stays there.
      let elsewhere = null;
      const follow = ({ target }) => {
        if (target !== chat) elsewhere = target === place ? null : target;
      };
      document.addEventListener("focusin", follow);
      try {
        await load();
        chat ??= putChat();
        await chat.open();
        elsewhere?.focus();
        name.textContent = label;
      } catch {
        name.textContent = unreachable;
      } finally {
        document.removeEventListener("focusin", follow);
        launcher.removeAttribute("aria-busy");
      }
    });

    function putChat() {
      const put = chatOf();
      put.addEventListener("helpdesk-open", () => launcher.setAttribute("aria-expanded", "true"));
      put.addEventListener("helpdesk-close", () => {
        launcher.setAttribute("aria-expanded", "false");
        launcher.focus();
      });
      place.after(put);
      return put;
    }
  }

  function begin() {
    if (document.querySelector('[data-helpdesk="launcher"]')) return; // of a second script tag
    if (document.querySelector("helpdesk-chat")) load().catch(() => {}); // what the page put inside stays
    else putLauncher();
  }

  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", begin);
  else begin();
})();
