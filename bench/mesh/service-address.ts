import { isIPv4 } from "node:net";
import { CliFailure } from "#cli/failure.ts";
import type { TemporaryMesh } from "#cli/temporary-mesh.ts";

/** Of the service that is called. Of one family, the same for all ways: programs choose differently where a name stands for several. */
export const serviceAddress = async (mesh: TemporaryMesh): Promise<string> => {
  const said = await mesh.exec("meshed/client", "getent", "ahostsv4", "server.meshed");
  const [address = ""] = said.split(/\s/);
  if (isIPv4(address)) return address;
  throw new CliFailure(`server.meshed has no IPv4 address: ${said}`);
};
