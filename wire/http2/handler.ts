import type { GoAway } from "./frames/goaway.ts";
import type { RequestHead } from "./message-rules.ts";
import type { Http2Stream, StreamHandler } from "./stream.ts";

/** What happens on a connection. */
export interface Http2Handler {
  /**
   * At the server: a request.
   * @param isEnd whether nothing follows its head; the handler's `end` is called all the same
   * @returns who is told what follows
   */
  request(stream: Http2Stream, head: RequestHead, isEnd: boolean): StreamHandler;
  /** The peer's first SETTINGS: only now is it known that it speaks HTTP/2. */
  ready(): void;
  /** The peer takes no more streams. Those of ours above its last one are reset with REFUSED_STREAM before this. */
  goAway(goAway: GoAway): void;
  /** The answer to `ping`. */
  pong(): void;
  /** A stream is gone, however it ended; its own handler is told after this. */
  streamClosed(stream: Http2Stream): void;
  /** There is something to send: call `takeOutput` soon. Told once until it was taken. */
  wake(): void;
}
