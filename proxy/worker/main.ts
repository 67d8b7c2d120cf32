import { bindToSupervisor } from "../kernel/hardening.ts";

// Before anything else is even loaded: until then other processes of the same user could look in.
bindToSupervisor(Number(process.env["HEDDLE_SUPERVISOR_PID"]));
await import("./run.ts");
