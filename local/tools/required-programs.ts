import { findProgram } from "../processes/search-path.ts";

/** A program that a local mesh needs, and the package that has it. */
export interface RequiredProgram {
  readonly name: string;
  readonly package: PackageName;
  readonly purpose: string;
}

/** By Debian's name; {@link PACKAGE_MANAGERS} has the others. */
export type PackageName =
  | "iproute2"
  | "nftables"
  | "util-linux"
  | "uidmap"
  | "hostname"
  | "mount"
  | "curl"
  | "nghttp2-client"
  | "nghttp2-server"
  | "faketime"
  | "wrk"
  | "python3";

export const REQUIRED_PROGRAMS: readonly RequiredProgram[] = [
  { name: "ip", package: "iproute2", purpose: "makes the networks of nodes and pods" },
  { name: "nft", package: "nftables", purpose: "captures the traffic of pods" },
  { name: "unshare", package: "util-linux", purpose: "makes namespaces" },
  { name: "nsenter", package: "util-linux", purpose: "enters namespaces" },
  { name: "setpriv", package: "util-linux", purpose: "takes privileges away" },
  { name: "findmnt", package: "util-linux", purpose: "reads mount options" },
  { name: "mount", package: "mount", purpose: "hides the mesh's own files from pods" },
  { name: "hostname", package: "hostname", purpose: "names pods" },
];

/** What the tests need beside: other people's clients and servers. None of these packages starts a service. */
export const TEST_PROGRAMS: readonly RequiredProgram[] = [
  { name: "curl", package: "curl", purpose: "asks servers in the tests" },
  { name: "nghttp", package: "nghttp2-client", purpose: "asks HTTP/2 servers in the tests" },
  { name: "h2load", package: "nghttp2-client", purpose: "asks HTTP/2 servers for much at once in the tests" },
  { name: "nghttpd", package: "nghttp2-server", purpose: "answers HTTP/2 clients in the tests" },
  { name: "wrk", package: "wrk", purpose: "asks HTTP/1.1 servers for as much as they give in the tests" },
  { name: "python3", package: "python3", purpose: "serves files in the tests" },
  { name: "faketime", package: "faketime", purpose: "sets clocks for single processes in the tests" },
];

/** What an ordinary user needs to tell the processes of a node apart by user id. */
export const UIDMAP_PROGRAM: RequiredProgram = {
  name: "newuidmap",
  package: "uidmap",
  purpose: "gives an ordinary user more user ids",
};

/** The programs that cannot be found. */
export const missingPrograms = <Program extends { readonly name: string }>(
  programs: readonly Program[],
  path: string,
): readonly Program[] => programs.filter(({ name }) => findProgram(name, path) === undefined);
