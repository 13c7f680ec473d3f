// The page of an article: tells when it is published, and warns before what was typed is left.

const EVERY_MS = 3000;

async function look() {
  try {
    const reply = await fetch(location.href, { headers: { Accept: "text/html" } });
    if (reply.ok && !(await reply.text()).includes(" data-busy")) {
      location.reload();
      return;
    }
  } catch {
    // The server may be away for a moment.
  }
  setTimeout(look, EVERY_MS);
}

if (document.querySelector("[data-busy]")) setTimeout(look, EVERY_MS);

const form = document.querySelector("form.article");
// What could not be stored stands there from the beginning.
let unsaved = Boolean(document.querySelector(".box.alarm[role=alert]"));
form?.addEventListener("input", () => (unsaved = true));
for (const each of document.forms) each.addEventListener("submit", () => (unsaved = false));
addEventListener("beforeunload", (event) => {
  if (unsaved) event.preventDefault();
});
