import type { TemporaryMesh } from "#cli/temporary-mesh.ts";
import { RPC_PATH } from "../mesh/nginx-config.ts";

/** A process that carries the bytes between client and server, or without which that would not be. */
export interface ProxyProcess {
  readonly pid: number;
  /** For people: `node-1 worker`. */
  readonly label: string;
  readonly side: "client" | "server";
  /** Whether connections live in it. */
  readonly carries: boolean;
}

/** Where a client connects to. */
export interface Target {
  readonly host: string;
  readonly port: number;
}

/** One way from the client to the server. */
export interface Way {
  readonly name: string;
  /** Whose processes these are: ways of one carrier share them. */
  readonly carrier: string;
  /** In which both pods are. */
  readonly mesh: TemporaryMesh;
  /** The pod in which the client runs. */
  readonly client: string;
  /** Where it finds the server as one that speaks HTTP. */
  readonly http: Target;
  /** Where it finds it as one that speaks HTTP/2 from the first byte on, without TLS. */
  readonly http2: Target;
  /** Where it finds the server for bulk. */
  readonly bytes: Target;
  /** What it asks for with small requests. */
  readonly paths: { readonly http: string; readonly http2: string };
  /** What tells that everything is as it should be. */
  readonly probe: Probe;
  /** Whether only bulk is worth measuring. */
  readonly isBulkOnly: boolean;
  /** A captured target outside the mesh, where there is such a thing: what passes in clear. */
  readonly passing: Target | undefined;
  /** Looked up anew each time: processes may be replaced. */
  readonly processes: () => Promise<readonly ProxyProcess[]>;
}

/** A path, and the status that it is answered with. */
export interface Probe {
  readonly path: string;
  readonly status: number;
}

/** What is the same for all but few ways. */
export const COMMON_WAY = {
  paths: { http: "/", http2: RPC_PATH },
  probe: { path: "/", status: 200 },
  isBulkOnly: false,
  passing: undefined,
} as const;
