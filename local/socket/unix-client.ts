import { Agent, request } from "undici";
import { err, ok, type Result } from "#mesh/result.ts";

export interface UnixRequest {
  readonly method?: "GET" | "POST";
  /** Sent as JSON. */
  readonly body?: unknown;
  readonly timeoutMs?: number;
}

/** What is said of a process that listens and hangs. */
export const NO_ANSWER = "it does not answer in time";

/** An answer on a machine's own sockets takes milliseconds; what takes this long is stuck. */
const DEFAULT_TIMEOUT_MS = 5_000;

/** Speaks HTTP with JSON to a process that listens on a unix socket. */
export class UnixClient {
  readonly #agent: Agent;

  constructor(socketPath: string) {
    this.#agent = new Agent({ connect: { socketPath } });
  }

  /** @returns the answer's JSON, trusted to have the shape that the peer documents; or what went wrong. */
  async json<Answer>(path: string, options: UnixRequest = {}): Promise<Result<Answer, string>> {
    const { method = "GET", body, timeoutMs = DEFAULT_TIMEOUT_MS } = options;
    try {
      const answer = await request(`http://heddle${path}`, {
        dispatcher: this.#agent,
        method,
        signal: AbortSignal.timeout(timeoutMs),
        ...(body === undefined ? {} : { body: JSON.stringify(body), headers: { "content-type": "application/json" } }),
      });
      const text = await answer.body.text();
      if (answer.statusCode >= 300) return err(refusal(answer.statusCode, text));
      return ok((text === "" ? undefined : JSON.parse(text)) as Answer);
    } catch (error) {
      return err(explain(error));
    }
  }

  /** The answer as it comes, for as long as it lasts. */
  async stream(path: string, method: "GET" | "POST" = "GET"): Promise<Result<AsyncIterable<Buffer>, string>> {
    try {
      const answer = await request(`http://heddle${path}`, { dispatcher: this.#agent, method, bodyTimeout: 0 });
      if (answer.statusCode >= 300) return err(refusal(answer.statusCode, await answer.body.text()));
      return ok(answer.body as AsyncIterable<Buffer>);
    } catch (error) {
      return err(explain(error));
    }
  }

  async close(): Promise<void> {
    await this.#agent.destroy();
  }
}

const refusal = (status: number, text: string): string => {
  try {
    const { error, message } = JSON.parse(text) as { error?: string; message?: string };
    return message ?? error ?? text;
  } catch {
    return text === "" ? `HTTP status ${status}` : text;
  }
};

const explain = (error: unknown): string => {
  const { code, name, message } = error as { code?: string; name?: string; message?: string };
  if (code === "ENOENT" || code === "ECONNREFUSED") return "it is not running";
  return name === "TimeoutError" ? NO_ANSWER : (message ?? String(error));
};
