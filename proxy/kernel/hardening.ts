import { must, prctl } from "./libc.ts";

const PR_SET_PDEATHSIG = 1;
const PR_SET_DUMPABLE = 4;
const SIGKILL = 9;

/**
 * First thing in every process that the supervisor starts: no other process of the same user may read its memory or attach
 * to it, no core is written, and it ends when the supervisor does. A supervisor that died before this call is noticed too.
 * @param supervisorPid who must be the parent; NaN is nobody
 */
export const bindToSupervisor = (supervisorPid: number): void => {
  must("prctl PR_SET_DUMPABLE", prctl(PR_SET_DUMPABLE, 0, 0, 0, 0));
  must("prctl PR_SET_PDEATHSIG", prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0));
  if (process.ppid !== supervisorPid) {
    process.stderr.write("heddle: the supervisor that should have started this is gone; stopping\n");
    process.exit(1);
  }
};

/** The supervisor itself holds the sockets of every pod: nobody may look into it either. */
export const forbidDumps = (): void => {
  must("prctl PR_SET_DUMPABLE", prctl(PR_SET_DUMPABLE, 0, 0, 0, 0));
};
