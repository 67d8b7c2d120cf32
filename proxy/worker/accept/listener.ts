import { closeSync } from "node:fs";
import { createServer, type Server, type Socket } from "node:net";
import { LISTEN_BACKLOG } from "../../kernel/listen-backlog.ts";

/**
 * What a pod's listening socket does with connections: leave them in the kernel's queue, accept and refuse, or serve.
 *
 *   held --release()--> waiting               until then another process accepts on the same socket
 *   waiting --start()--> serving          the pod's record, policies and certificate are there
 *   waiting --time is up--> refusing      they did not come: fail closed
 *   refusing --start()--> serving
 *   any --close()--> closed
 */
type State = "held" | "waiting" | "refusing" | "serving" | "closed";

/** How a listener treats what it accepts. */
export interface ListenerOptions {
  /** How long connections wait for {@link Listener.start} before they are refused. */
  readonly startWaitMs: number;
  /** Nothing is accepted, and nobody waits for us, until {@link Listener.release}. */
  readonly isHeld: boolean;
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
  #timer: NodeJS.Timeout | undefined;
  #state: State;
  /** Started while it was held. */
  #isStarted = false;

  constructor(descriptor: number, options: ListenerOptions) {
    const { isCaptured, isHeld, onError } = options;
    this.#state = isHeld ? "held" : "waiting";
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
    if (!isHeld) this.#expect();
  }

  get isServing(): boolean {
    return this.#state === "serving";
  }

  /** The socket is ours alone, or about to be. */
  release(): void {
    if (this.#state !== "held") return;
    this.#state = "waiting";
    if (this.#isStarted) this.start();
    else this.#expect();
  }

  /** Serves what waits and what comes. */
  start(): void {
    this.#isStarted = true;
    if (this.#state === "held") return;
    if (this.#state === "waiting") this.#listen();
    if (this.#state !== "closed") this.#state = "serving";
  }

  /** Accepts nothing more. */
  close(): void {
    clearTimeout(this.#timer);
    if (this.#state === "waiting" || this.#state === "held") closeSync(this.#descriptor);
    else if (this.#state !== "closed") this.#server.close();
    this.#state = "closed";
  }

  #expect(): void {
    this.#timer = setTimeout(() => {
      this.#listen();
      this.#state = "refusing";
    }, this.#options.startWaitMs);
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
