/**
 * Loads the chat, and has it answer the questions that the page offers. Without this file they are
 * sent as forms, and the answer comes as a page.
 */

import "../../widget/define.js";

const chat = document.querySelector("helpdesk-chat");

document.getElementById("examples").addEventListener("submit", async (event) => {
  event.preventDefault();
  const { submitter, target } = event;
  chat.scrollIntoView({ block: "start" });
  await chat.open();
  chat.ask(submitter.value, target.elements.reply.value);
});
