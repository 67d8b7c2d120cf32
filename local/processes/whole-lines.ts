import { Transform } from "node:stream";

/** A line that is longer is passed on in pieces. */
const MAX_HELD_BYTES = 64 * 1024;
const NEWLINE = 10;

/** Passes on what comes in whole lines, so that several sources can write to one log without tearing each other's. */
export const wholeLines = (): Transform => {
  let held: Buffer = Buffer.alloc(0);
  return new Transform({
    transform: (chunk: Buffer, _encoding, done) => {
      const bytes = held.length === 0 ? chunk : Buffer.concat([held, chunk]);
      const end = bytes.length > MAX_HELD_BYTES ? bytes.length : bytes.lastIndexOf(NEWLINE) + 1;
      held = bytes.subarray(end);
      done(null, end === 0 ? undefined : bytes.subarray(0, end));
    },
    flush: (done) => done(null, held.length === 0 ? undefined : held),
  });
};
