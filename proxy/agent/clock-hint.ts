/** A problem that may come from a clock that is wrong, with what this clock says; any other as it is. */
export const withClockHint = (problem: string, now: number): string =>
  /certificate has expired|certificate is not yet valid/i.test(problem)
    ? `${problem.replace(/\.? Resolution note: *$/, "")}; the clock of this node says ${new Date(now).toISOString()}: compare it with the control plane's`
    : problem;
