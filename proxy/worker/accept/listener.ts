import { closeSync } from "node:fs";
import { createServer, type Server, type Socket } from "node:net";
import { LISTEN_BACKLOG } from "../../kernel/listen-backlog.ts";

/**
 * What a pod's listening socket does with connections: leave them in the kernel's queue, accept and refuse, or serve.
 *
 *   waiting --start()--> serving          the pod's record, policies and certificate are there
 *   waiting --time is up--> refusing      they did not come: fail closed
 *   refusing --start()--> serving
 *   any --close()--> closed
 */
type State = "waiting" | "refusing" | "serving" | "closed";

/** How a listener treats what it accepts. */
export interface ListenerOptions {
  /** How long connections wait for {@link Listener.start} before they are refused. */
  readonly startWaitMs: number;
  /** Nothing is read before somebody decided where it goes; and the end of one direction is not the end of the other. */
  readonly isCaptured: boolean;
  readonly onConnection: (socket: Socket) => void;
  /** A connection is to be refused because the pod is not ready. */
  readonly onRefused: (socket: Socket) => void;
  readonly onError: (error: Error) => void;
}

/** One of a pod's listening sockets, received from the supervisor, which keeps a copy: closing ours refuses nobody. */
export class Listener {
  readonly #descriptor: number;
  readonly #server: Server;
  readonly #options: ListenerOptions;
  readonly #timer: NodeJS.Timeout;
  #state: State = "waiting";

  constructor(descriptor: number, options: ListenerOptions) {
    const { isCaptured, startWaitMs, onError } = options;
    this.#descriptor = descriptor;
    this.#options = options;
    this.#server = createServer(
      {
        allowHalfOpen: isCaptured,
        pauseOnConnect: isCaptured,
      },
      (socket) => this.#onConnection(socket),
    );
    this.#server.on("error", onError);
    this.#timer = setTimeout(() => {
      this.#listen();
      this.#state = "refusing";
    }, startWaitMs);
  }

  get isServing(): boolean {
    return this.#state === "serving";
  }

  /** Serves what waits and what comes. */
  start(): void {
    if (this.#state === "waiting") this.#listen();
    if (this.#state !== "closed") this.#state = "serving";
  }

  /** Accepts nothing more. */
  close(): void {
    clearTimeout(this.#timer);
    if (this.#state === "waiting") closeSync(this.#descriptor);
    else if (this.#state !== "closed") this.#server.close();
    this.#state = "closed";
  }

  #listen(): void {
    clearTimeout(this.#timer);
    this.#server.listen({ fd: this.#descriptor }, LISTEN_BACKLOG);
  }

  #onConnection(socket: Socket): void {
    socket.on("error", () => undefined);
    if (this.#state === "serving") this.#options.onConnection(socket);
    else this.#options.onRefused(socket);
  }
}
