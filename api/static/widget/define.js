/**
 * Registers `<helpdesk-chat>`. A page that places the element by hand loads this file as a module;
 * `/widget.js` loads it when the chat is first opened.
 */

import { HelpdeskChat } from "./helpdesk-chat.js";

// A page may load it twice, from its theme and from its text.
if (!customElements.get("helpdesk-chat")) customElements.define("helpdesk-chat", HelpdeskChat);
