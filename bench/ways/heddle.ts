import { processTree, below, type TreeProcess } from "../measure/process-tree.ts";
import { CliFailure } from "#cli/failure.ts";
import type { TemporaryMesh } from "#cli/temporary-mesh.ts";
import { SERVER_PORTS, SERVICE_PORTS } from "../mesh/nginx-config.ts";
import { ROUTED_PATH, ROUTED_STATUS } from "../mesh/routes.ts";
import { COMMON_WAY, type ProxyProcess, type Way } from "./way.ts";

/**
 * Captured at the client, tunnelled to the server's node, given to the server there; each request is read, and goes where a route
 * says.
 * @param service the virtual address of the server's service
 */
export const heddle = (mesh: TemporaryMesh, service: string): Way => ({
  ...COMMON_WAY,
  name: "heddle",
  carrier: "heddle",
  mesh,
  client: "meshed/client",
  http: { host: service, port: SERVICE_PORTS.http },
  http2: { host: service, port: SERVICE_PORTS.http2 },
  bytes: { host: service, port: SERVICE_PORTS.http },
  probe: { path: ROUTED_PATH, status: ROUTED_STATUS },
  processes: () => nodeProcesses(mesh),
});

/**
 * The same pods and processes, by ports that are declared as bytes.
 * @param outsider the address of a server outside the mesh
 */
export const heddleL4 = (mesh: TemporaryMesh, service: string, outsider: string): Way => ({
  ...heddle(mesh, service),
  name: "heddle-l4",
  http: { host: service, port: SERVICE_PORTS.bytes },
  http2: { host: service, port: SERVICE_PORTS.bytesOfHttp2 },
  bytes: { host: service, port: SERVICE_PORTS.bytes },
  // The server does not know the path that a route answers.
  probe: { path: ROUTED_PATH, status: 404 },
  passing: { host: outsider, port: SERVER_PORTS.http },
});

/** Supervisor, agent and workers of both nodes. @throws CliFailure unless all of them run */
export const nodeProcesses = async (mesh: TemporaryMesh): Promise<readonly ProxyProcess[]> => {
  const all = processTree(mesh.pid ?? 0);
  const { nodes } = await mesh.status();
  return nodes.flatMap(({ name, supervisor }, index) => {
    const own = supervisor.kind === "running" ? all.filter(isSupervisor(supervisor.pid)) : [];
    const found = below(
      all,
      own.map(({ pid }) => pid),
    ).flatMap((process) => {
      const role = roleOf(process);
      if (role === undefined) return [];
      const side = index === 0 ? "client" : "server";
      return { pid: process.pid, label: `${name} ${role}`, side, carries: role === "worker" } as const;
    });
    const missing = ["supervisor", "agent", "worker"].filter(
      (role) => !found.some(({ label }) => label.endsWith(role)),
    );
    if (missing.length > 0) throw new CliFailure(`${name} has no ${missing.join(", no ")}`);
    return found;
  });
};

/** The runtime knows a supervisor by its pid in the mesh's own pid namespace. */
const isSupervisor =
  (pid: number) =>
  (process: TreeProcess): boolean =>
    process.namespacePids.at(-1) === pid && roleOf(process) === "supervisor";

const roleOf = ({ commandLine }: TreeProcess): string | undefined =>
  /\bproxy\/(supervisor|agent|worker)\/main\.ts\b/.exec(commandLine)?.[1];
