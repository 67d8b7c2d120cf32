import type { GrpcMatch, HttpMatch, PathMatch, TextMatch, ValueMatch } from "#mesh/routes/route.ts";

/** What an HTTPRoute's match holds, short: `POST /cart/* x-user=beta ?v=2`; `/cart` alone is that path only; `~` a pattern. */
export const httpMatchText = ({ method, path, headers, queryParams }: HttpMatch): string => {
  const parts = [
    ...(method === undefined ? [] : [method]),
    ...(isEverything(path) ? [] : [pathText(path)]),
    ...headers.map(valueText),
    ...queryParams.map((param) => `?${valueText(param)}`),
  ];
  return parts.length === 0 ? "all" : parts.join(" ");
};

/** The same of a GRPCRoute: `pkg.Service/Method x-user=beta`. */
export const grpcMatchText = ({ service, method, headers }: GrpcMatch): string => {
  const rpc = service || method ? [`${textMatch(service)}/${textMatch(method)}`] : [];
  const parts = [...rpc, ...headers.map(valueText)];
  return parts.length === 0 ? "all" : parts.join(" ");
};

const isEverything = ({ kind, value }: PathMatch): boolean => kind === "prefix" && value === "/";

const pathText = ({ kind, value }: PathMatch): string => {
  if (kind === "prefix") return `${value.replace(/\/$/, "")}/*`;
  return kind === "exact" ? value : `~${value}`;
};

const textMatch = (match: TextMatch | undefined): string =>
  match === undefined ? "*" : match.kind === "exact" ? match.value : `~${match.value}`;

const valueText = ({ kind, name, value }: ValueMatch): string => `${name}${kind === "exact" ? "=" : "~"}${value}`;
