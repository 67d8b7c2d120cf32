/** A reason is a line, and nobody reads more of one. */
const MAX_COMPLAINT_LENGTH = 400;
/** Enough for the stack trace of an error, which stands below its message. */
const MAX_TAIL_LENGTH = 16 * 1024;

/** The lowest level of pino that is an error. */
const PINO_ERROR = 50;

/** Keeps the end of what a process writes, as far as it may tell why the process ended. */
export class OutputTail {
  #stdout = "";
  #stderr = "";

  add(stream: "stdout" | "stderr", chunk: Buffer): void {
    const text = chunk.toString("utf8");
    if (stream === "stdout") this.#stdout = (this.#stdout + text).slice(-MAX_TAIL_LENGTH);
    else this.#stderr = (this.#stderr + text).slice(-MAX_TAIL_LENGTH);
  }

  /** What the process complained about last; undefined if it did not. */
  get complaint(): string | undefined {
    return complaintIn(this.#stdout, this.#stderr);
  }
}

/**
 * The last complaint of a process: on standard error the last line, or the message above a stack trace; else the last line of
 * level error of a JSON log on standard output.
 */
export const complaintIn = (stdout: string, stderr: string): string | undefined => {
  const complaints = linesOf(stderr).filter((line) => !isNoise(line));
  const found = complaints.findLast(isErrorMessage) ?? complaints.at(-1) ?? linesOf(stdout).findLast(errorOfLog);
  return found === undefined ? undefined : (errorOfLog(found) ?? found).slice(0, MAX_COMPLAINT_LENGTH);
};

const linesOf = (text: string): readonly string[] =>
  text
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "");

/** What Node.js writes around the message of an error that nobody caught. */
const isNoise = (line: string): boolean => /^(?:at |Node\.js v|\^+$|[{}\]]+,?$)/.test(line);

const isErrorMessage = (line: string): boolean => /^(?:Uncaught )?[A-Za-z]*Error(?: \[\w+\])?: /.test(line);

/** The message of a line of a JSON log, if it is an error. */
const errorOfLog = (line: string): string | undefined => {
  try {
    const { level, msg } = JSON.parse(line) as { readonly level?: unknown; readonly msg?: unknown };
    const isError = level === "error" || level === "fatal" || (typeof level === "number" && level >= PINO_ERROR);
    return isError && typeof msg === "string" ? msg : undefined;
  } catch {
    return undefined;
  }
};
