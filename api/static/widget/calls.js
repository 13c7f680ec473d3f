/** Calls of the helpdesk's API; no DOM. */

const PATIENCE_MS = 30_000; // with a call that brings no signal of its own

/** The API said no: what it said, and when to come back. */
export class Problem extends Error {
  constructor(status, waitSeconds) {
    super(`status ${status}`);
    this.name = "Problem";
    this.status = status;
    this.waitSeconds = waitSeconds;
  }
}

/**
 * Posts JSON and returns the response.
 *
 * @throws {Problem} The API refused.
 * @throws {TypeError|DOMException} It could not be reached, or not in time.
 */
export async function post(server, path, body, { accept = "application/json", signal = AbortSignal.timeout(PATIENCE_MS) } = {}) {
  const response = await fetch(new URL(path, server), {
    method: "POST",
    headers: { "Content-Type": "application/json", Accept: accept },
    body: JSON.stringify(body),
    // Neither cookies nor the address of the page go with it.
    credentials: "omit",
    referrerPolicy: "no-referrer",
    signal,
  });
  if (!response.ok) throw new Problem(response.status, Number(response.headers.get("Retry-After")) || 0);
  return response;
}
