/**
 * Loads the chat, and has it answer the questions that the page offers. Without this file they are
 * sent as forms, and the answer comes as a page.
 */

import "../../widget/define.js";

const chat = document.querySelector("helpdesk-chat");

const examples = document.getElementById("examples");
examples.addEventListener("submit", askInChat);

async function askInChat(event) {
  event.preventDefault();
  const { submitter } = event;
  try {
    await chat.open();
  } catch {
    // The chat cannot be drawn: the answer comes as a page.
    examples.removeEventListener("submit", askInChat);
    examples.requestSubmit(submitter);
    return;
  }
  chat.scrollIntoView({ block: "start" });
  chat.ask(submitter.value, examples.elements.reply.value);
}
