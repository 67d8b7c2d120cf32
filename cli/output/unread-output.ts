/** The code with which a shell reports a program that wrote into a pipe that nobody reads: 128 and SIGPIPE. */
const UNREAD_EXIT_CODE = 141;

/**
 * Says what happens when what this command writes cannot be written any more, as in `heddle logs ... | head -1`; what was
 * said last holds. Without it, Node.js ends with a stack trace.
 */
export const whenUnread = (end: (error: NodeJS.ErrnoException) => void): void => {
  for (const stream of [process.stdout, process.stderr]) stream.removeAllListeners("error").on("error", end);
};

/** Ends as other tools do: without a word where nobody reads, with one where there is no room. */
export const endUnread = ({ code, message }: NodeJS.ErrnoException): never => {
  if (code === "EPIPE") process.exit(UNREAD_EXIT_CODE);
  process.stderr.write(`heddle: the output cannot be written: ${message}\n`);
  process.exit(1);
};

/** Resolves when everything has been taken that was written: a pipe holds little, and its reader may be slow. */
export const outputTaken = async (): Promise<void> => {
  await Promise.all(
    [process.stdout, process.stderr].map((stream) => new Promise((resolve) => stream.write("", resolve))),
  );
};
