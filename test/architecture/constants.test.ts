import { expect, test } from "vitest";
import * as mesh from "#mesh/ports.ts";
import * as supervisor from "#proxy/supervisor/rules.ts";

test("the supervisor, which loads no other folder, captures to the ports that everybody else means", () => {
  expect([supervisor.OUTBOUND_PORT, supervisor.INBOUND_PORT, supervisor.TUNNEL_PORT]).toEqual([
    mesh.OUTBOUND_PORT,
    mesh.INBOUND_PORT,
    mesh.TUNNEL_PORT,
  ]);
});
