// What makes the console quicker; everything works without it.

const CHOSEN = "desk-filter";
let sending = false;

// Other forms of the page take nothing of what is typed along.
document.addEventListener("submit", (event) => {
  sending = event.target.id === "case";
});
// Whoever comes back to the page by the browser's button has not sent it again.
addEventListener("pageshow", () => {
  sending = false;
});

// Ctrl + Enter presses the button that belongs to a text.
for (const text of document.querySelectorAll("textarea[data-sends]")) {
  text.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
      event.preventDefault();
      document.getElementById(text.dataset.sends)?.click();
    }
  });
}
for (const hint of document.querySelectorAll(".keys")) hint.hidden = false;

// A text that was typed and not sent is not left behind unasked.
addEventListener("beforeunload", (event) => {
  const texts = [...document.querySelectorAll("textarea[form]")];
  const unsent = texts.some((each) => "unsent" in each.dataset || each.value !== each.defaultValue);
  if (unsent && !sending) event.preventDefault();
});

// A filter that is chosen shows what it leaves; the focus stays on it.
for (const filter of document.querySelectorAll("select[data-submits]")) {
  filter.addEventListener("change", () => {
    sessionStorage.setItem(CHOSEN, filter.id);
    filter.form.requestSubmit();
  });
}
const chosen = sessionStorage.getItem(CHOSEN);
if (chosen) {
  sessionStorage.removeItem(CHOSEN);
  document.getElementById(chosen)?.focus();
}
