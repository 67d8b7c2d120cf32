import { FLAG, FRAME_TYPE } from "#wire/http2/frame-header.ts";
import { HpackEncoder } from "#wire/http2/hpack/hpack-encoder.ts";
import type { Load } from "./load.ts";
import { requestSection } from "./messages.ts";
import { frame, RawHttp2 } from "./raw-http2.ts";

const CONNECTIONS = 4;
/** Streams that are opened at once. */
const BATCH = 16;
const TABLE_BYTES = 4096;

/** Requests on streams of their own, whose heads differ in two fields, as with traces and request ids. */
export const http2Requests: Load = (port, isOver, count) =>
  Promise.all(Array.from({ length: CONNECTIONS }, () => openStreams(port, isOver, count, (number) => number)));

/** Requests with the same head each: one byte for each field after the first. */
export const http2SameRequests: Load = (port, isOver, count) =>
  Promise.all(Array.from({ length: CONNECTIONS }, () => openStreams(port, isOver, count, () => 0)));

const openStreams = (
  port: number,
  isOver: () => boolean,
  count: (requests: number) => void,
  variant: (number: number) => number,
): Promise<void> =>
  new Promise((resolve, reject) => {
    const encoder = new HpackEncoder(TABLE_BYTES);
    let opened = 0;
    let answered = 0;
    const batch = (): Buffer =>
      Buffer.concat(
        Array.from({ length: BATCH }, () => {
          const block = encoder.encode(requestSection(variant(opened)));
          return frame(FRAME_TYPE.headers, FLAG.endHeaders | FLAG.endStream, 2 * opened++ + 1, block);
        }),
      );
    const client = new RawHttp2(
      port,
      {
        ended: () => {
          if (++answered < BATCH) return;
          answered = 0;
          count(BATCH);
          if (!isOver()) return client.write(batch());
          client.destroy();
          resolve();
        },
        windowUpdate: () => undefined,
        settings: () => undefined,
        closed: (reason) => reject(new Error(reason)),
      },
      () => client.write(batch()),
    );
  });

const DATA_BYTES = 1024;
/** Of the connection (RFC 9113 section 6.9.2). */
const INITIAL_WINDOW = 65_535;

/** DATA frames of 1 KiB on one stream, as many as the windows let through. */
export const http2Data: Load = (port, isOver, count) => {
  const { promise, resolve, reject } = Promise.withResolvers<undefined>();
  const data = frame(FRAME_TYPE.data, 0, 1, Buffer.alloc(DATA_BYTES, "x"));
  const batch = Buffer.concat(Array.from({ length: BATCH }, () => data));
  let connection = INITIAL_WINDOW;
  let stream = 0;
  const send = (): void => {
    while (Math.min(connection, stream) >= batch.length && !isOver()) {
      connection -= BATCH * DATA_BYTES;
      stream -= BATCH * DATA_BYTES;
      client.write(batch);
      count(BATCH);
    }
    if (!isOver()) return;
    client.destroy();
    resolve(undefined);
  };
  const client = new RawHttp2(
    port,
    {
      ended: () => undefined,
      windowUpdate: (streamId, increment) => {
        if (streamId === 0) connection += increment;
        else stream += increment;
        send();
      },
      settings: (initialWindow) => {
        stream += initialWindow;
        const section = requestSection(0).map((each) => (each.name === ":method" ? { ...each, value: "POST" } : each));
        client.write(frame(FRAME_TYPE.headers, FLAG.endHeaders, 1, new HpackEncoder(TABLE_BYTES).encode(section)));
        send();
      },
      closed: (reason) => reject(new Error(reason)),
    },
    () => undefined,
  );
  return promise;
};
