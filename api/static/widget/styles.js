/**
 * The one style sheet, built by script: a page's policy may forbid styles written into it.
 * A site sets the `--helpdesk-…` properties on the element; each pair of text and ground below
 * has a contrast of at least 4.5:1, each control's edge at least 3:1.
 */

export const sheet = new CSSStyleSheet();

sheet.replaceSync(`
:host {
  color-scheme: light dark;
  --primary: var(--helpdesk-primary, light-dark(#14466b, #9accf3));
  --on-primary: var(--helpdesk-on-primary, light-dark(#fff, #0b1d2b));
  --head: var(--helpdesk-primary, light-dark(#14466b, #1d405c));
  --on-head: var(--helpdesk-on-primary, light-dark(#fff, #e4eaf0));
  --surface: var(--helpdesk-surface, light-dark(#fff, #19232c));
  --text: var(--helpdesk-text, light-dark(#1a242e, #e4eaf0));
  --quiet: var(--helpdesk-quiet, light-dark(#4d5b68, #abb8c4));
  --link: var(--helpdesk-link, light-dark(#0b5394, #8fc5f2));
  --focus: var(--helpdesk-focus, light-dark(#b04a00, #ffb454));
  --round: var(--helpdesk-radius, 0.5rem);
  --ground: light-dark(#f4f6f8, #11181f);
  --line: light-dark(#d3dae1, #33424f);
  --edge: light-dark(#6b7a88, #8293a2);
  --tint: light-dark(#e6eff6, #1f3242);
  --warm: light-dark(#fdf3dc, #35290f);
  --warm-line: light-dark(#b57f10, #e0b04a);
  --alarm: light-dark(#fdecea, #3b1c1a);
  --alarm-line: light-dark(#b3261e, #f2978f);
  display: block;
}
:host([theme="light"]) { color-scheme: light; }
:host([theme="dark"]) { color-scheme: dark; }
:host([hidden]), [hidden] { display: none !important; }
*, *::before, *::after { box-sizing: border-box; }

.frame {
  /* What a page says of all its elements it says of ours, too: its fonts and spaces end here. */
  all: initial;
  color-scheme: inherit;
  box-sizing: border-box;
  font: 1rem/1.5 var(--helpdesk-font, system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", "Liberation Sans", sans-serif);
  display: flex;
  flex-direction: column;
  inline-size: 100%;
  block-size: var(--helpdesk-height, 36rem);
  max-inline-size: none;
  margin: 0;
  padding: 0;
  overflow: hidden;
  border: 1px solid var(--line);
  border-radius: var(--round);
  background: var(--surface);
  color: var(--text);
  overflow-wrap: anywhere;
  text-align: start;
}
dialog:not([open]) { display: none; }
dialog.frame {
  position: fixed;
  z-index: 2147483000;
  inset: auto 1rem 5rem auto;
  inline-size: min(26rem, 100vw - 2rem);
  block-size: min(42rem, 100dvh - 6.5rem);
  max-block-size: none;
  border-color: var(--edge);
  box-shadow: 0 0.5rem 2rem rgb(0 0 0 / 0.25);
}
:host([floating="bottom-left"]) dialog.frame { inset: auto auto 5rem 1rem; }
@media (max-width: 30rem), (max-height: 30rem) {
  dialog.frame, :host([floating]) dialog.frame {
    inset: 0;
    inline-size: 100%;
    block-size: 100dvh;
    border-radius: 0;
  }
}

header {
  display: flex;
  align-items: center;
  gap: 0.25rem;
  padding: 0.375rem 0.5rem 0.375rem 1rem;
  background: var(--head);
  color: var(--on-head);
}
h2, h3, p, ul, blockquote { margin: 0; padding: 0; }
h2 { flex: 1; font-size: 1.0625rem; line-height: 1.3; }
h3 { font-size: 1.0625rem; line-height: 1.3; }
ul { list-style: none; }
header .icon { color: inherit; }
header .icon:hover { background: color-mix(in srgb, currentColor 18%, transparent); }
header :focus-visible { outline-color: currentColor; outline-offset: -4px; }

.log {
  flex: 1;
  min-block-size: 0;
  padding: 1rem;
  overflow-y: auto;
  overscroll-behavior: contain;
  background: var(--ground);
}
.log > * + * { margin-block-start: 1rem; }
.welcome, .reply, .person .hand-over { display: grid; gap: 0.75rem; }
.turn {
  display: grid;
  gap: 0.75rem;
  /* What is out of sight is not laid out: a long conversation stays smooth. */
  content-visibility: auto;
  contain-intrinsic-block-size: auto 20rem;
}
.turn:last-child { content-visibility: visible; }
.asked {
  justify-self: end;
  max-inline-size: 90%;
  padding: 0.5rem 0.75rem;
  border: 1px solid transparent;
  border-radius: var(--round);
  background: var(--head);
  color: var(--on-head);
  white-space: pre-wrap;
}
.reply {
  padding: 0.75rem;
  border: 1px solid var(--line);
  border-radius: var(--round);
  background: var(--surface);
}
.streamed { white-space: pre-wrap; }
.streamed:empty { display: none; }
.statement > p { display: inline; }
.items { display: grid; gap: 0.375rem; padding-inline-start: 1.25rem; list-style: disc; }
.box, .next {
  padding: 0.5rem 0.75rem;
  border-inline-start: 0.25rem solid var(--edge);
  background: var(--tint);
}
.opening.box { border-color: var(--warm-line); background: var(--warm); white-space: pre-wrap; }
.failure { border-color: var(--alarm-line); background: var(--alarm); }
.hint, .notice { color: var(--quiet); font-size: 0.875rem; }
.wrong { color: light-dark(#a3201a, #f2978f); font-size: 0.875rem; }
.wrong::before { content: "! " / ""; font-weight: 700; }

.card {
  position: relative;
  display: grid;
  gap: 0.375rem;
  margin-block: 0.5rem;
  padding: 0.75rem;
  border: 1px solid var(--edge);
  border-radius: var(--round);
  background: var(--tint);
  font-size: 0.9375rem;
}
.card .icon { position: absolute; inset: 0.125rem 0.125rem auto auto; }
.card-title { padding-inline-end: 2.25rem; font-weight: 600; }
.card .hint { color: var(--text); }
blockquote { padding-inline-start: 0.75rem; border-inline-start: 0.1875rem solid var(--edge); white-space: pre-line; }
.badge {
  display: inline-block;
  inline-size: fit-content;
  padding: 0 0.375rem;
  border: 1px solid currentColor;
  border-radius: 0.25rem;
  font-size: 0.8125rem;
  font-weight: 600;
}

a { color: var(--link); text-underline-offset: 0.15em; }
a[target]::after { content: " ↗" / ""; font-size: 0.8em; }
:focus-visible { outline: 3px solid var(--focus); outline-offset: 2px; border-radius: 2px; }
[tabindex="-1"]:focus { outline: none; }
.card:focus-visible { outline: 3px solid var(--focus); }

button, textarea, input, select {
  min-block-size: 2.75rem;
  border: 1px solid var(--edge);
  border-radius: calc(var(--round) * 0.75);
  background: var(--surface);
  color: var(--text);
  font: inherit;
}
button { padding: 0.375rem 0.75rem; cursor: pointer; text-align: start; }
button:hover { border-color: var(--primary); background: var(--tint); }
button:disabled, button[aria-disabled="true"] { opacity: 0.6; cursor: default; }
button.small { min-block-size: 2rem; padding: 0.125rem 0.625rem; font-size: 0.9375rem; }
button.icon { display: inline-grid; place-items: center; flex: none; inline-size: 2.75rem; padding: 0; }
button.plain { border-color: transparent; background: transparent; }
button.primary { border-color: var(--primary); background: var(--primary); color: var(--on-primary); font-weight: 600; }
button.primary:hover { background: color-mix(in srgb, var(--primary) 85%, var(--text)); }
button.link {
  min-block-size: 1.75rem;
  padding: 0;
  border-color: transparent;
  background: none;
  color: var(--link);
  font-size: 0.875rem;
  text-decoration: underline;
  text-underline-offset: 0.15em;
}
button.marker {
  min-block-size: 1.5rem;
  min-inline-size: 1.5rem;
  padding: 0 0.125rem;
  border-color: transparent;
  background: none;
  color: var(--link);
  font-size: 0.875rem;
  line-height: 1;
  text-align: center;
}
button.marker:hover, button.marker[aria-expanded="true"] { border-color: var(--edge); background: var(--tint); }
svg {
  inline-size: 1.375rem;
  block-size: 1.375rem;
  fill: none;
  stroke: currentColor;
  stroke-width: 2;
  stroke-linecap: round;
  stroke-linejoin: round;
}
.choices { display: grid; gap: 0.375rem; }
.choices button { inline-size: 100%; }
.tools, .rating, .below { display: flex; flex-wrap: wrap; align-items: center; gap: 0.5rem; }
.rating { margin-block-start: 0.5rem; }
.comment { display: grid; gap: 0.5rem; inline-size: 100%; justify-items: start; }
.comment label, .comment textarea { inline-size: 100%; }

.asking { padding: 0.625rem 1rem 0.5rem; border-block-start: 1px solid var(--line); }
label { display: grid; gap: 0.25rem; font-size: 0.9375rem; font-weight: 600; }
.line { display: flex; align-items: end; gap: 0.5rem; margin-block: 0.25rem; }
textarea, select, input:not([type="checkbox"]) { inline-size: 100%; padding: 0.375rem 0.625rem; font-weight: 400; }
textarea { display: block; resize: vertical; field-sizing: content; max-block-size: 10rem; }
.below { justify-content: space-between; }
@media (pointer: coarse), (max-height: 30rem) { .below .hint { display: none; } }
.person { flex: 1; min-block-size: 0; padding: 1rem; overflow-y: auto; }
.field { display: grid; gap: 0.25rem; }
.consent { grid-template-columns: auto 1fr; gap: 0.5rem; font-weight: 400; }
input[type="checkbox"] { inline-size: 1.5rem; min-block-size: 1.5rem; margin: 0; accent-color: var(--primary); }
[aria-invalid="true"] { border-color: var(--alarm-line); border-width: 2px; }

.unseen {
  position: absolute;
  inline-size: 1px;
  block-size: 1px;
  overflow: hidden;
  clip-path: inset(50%);
  white-space: nowrap;
}
.busy::after { content: "…"; }
@media (prefers-reduced-motion: no-preference) {
  .busy { animation: breathe 1.6s ease-in-out infinite; }
  @keyframes breathe { 50% { opacity: 0.55; } }
  button { transition: background-color 0.12s; }
}
@media (forced-colors: active) {
  .primary, header { border-block-end: 1px solid; }
}
`);
