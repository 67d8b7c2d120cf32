/**
 * What `heddle` ends with:
 *
 *     0    done, or all is well
 *     1    it could not be done
 *     2    the command line is wrong
 *     3    the mesh is up, but not all of it is as it should be
 *     4    no such mesh is up
 *     125  `heddle exec` could not start the command; otherwise it ends as the command did
 */
export const EXIT = { done: 0, failed: 1, usage: 2, unwell: 3, notUp: 4, notExecuted: 125 } as const;

/** Something that a person has to know and can do something about: ends the command. */
export class CliFailure extends Error {
  readonly exitCode: number;
  /** What to try. */
  readonly hint: string | undefined;

  constructor(message: string, options: { readonly exitCode?: number; readonly hint?: string } = {}) {
    super(message);
    this.name = "CliFailure";
    this.exitCode = options.exitCode ?? EXIT.failed;
    this.hint = options.hint;
  }
}
