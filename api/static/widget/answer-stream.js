/** An answer as it is made: fetch and server-sent events; no DOM. */

import { post, Problem } from "./calls.js";

/**
 * Asks, and yields `{event, data}` as they come, the last of them `answer`.
 *
 * @throws {Problem} The helpdesk refused, or failed while it answered.
 * @throws {TypeError} It could not be reached, or the line was cut.
 */
export async function* askHelpdesk(server, question, signal) {
  const response = await post(server, "v1/answers", question, { accept: "text/event-stream", signal });
  let answered = false;
  for await (const { event, data } of serverSentEvents(response.body)) {
    if (event === "error") throw new Problem(data.status, 0);
    answered ||= event === "answer";
    yield { event, data };
  }
  if (!answered) throw new TypeError("the stream ended before its answer");
}

/** The events of a body, whatever pieces it comes in; comments and unknown fields are passed over. */
export async function* serverSentEvents(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let waiting = "";
  let name = "message";
  let data = [];
  try {
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return;
      const lines = (waiting + value).split(/\r?\n/);
      waiting = lines.pop();
      for (const line of lines) {
        if (line.startsWith("event:")) name = line.slice(6).trim();
        else if (line.startsWith("data:")) data.push(line.slice(5).replace(/^ /, ""));
        else if (line === "") {
          const event = data.length && { event: name, data: JSON.parse(data.join("\n")) };
          [name, data] = ["message", []];
          if (event) yield event;
        }
      }
    }
  } finally {
    // Whoever stops listening ends the work on the other side.
    await reader.cancel().catch(() => {});
  }
}
