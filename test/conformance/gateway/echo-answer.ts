import type { Answer, Request } from "./programs/request.ts";

/** What is expected of the answer to a request; what is not named may be anything, but the status, which is 200. */
export interface Expected {
  readonly status?: number;
  /** With what the name of the pod begins that answered: `echo-v1`. */
  readonly backend?: string;
  /** Of the request as the server had it: `Host`, `URL`, `Method`, `Proto` and so on. */
  readonly echoed?: Readonly<Record<string, string>>;
  /** The same of its headers, names in any case; all values of a name joined with a comma. Undefined: it has none. */
  readonly requestHeaders?: Readonly<Record<string, string | undefined>>;
  readonly responseHeaders?: Readonly<Record<string, string | undefined>>;
  readonly trailers?: Readonly<Record<string, string | undefined>>;
  /** Of gRPC; 0 otherwise. */
  readonly code?: number;
  /** Of the answer that was made by the mesh: `x-heddle-error`. Undefined: the backend's own. */
  readonly meshError?: string | RegExp;
}

/** A request, from whom, and what comes back. */
export interface Case {
  readonly request: Request;
  /** Which pod sends it, by the short name that the mesh gives it. */
  readonly from?: string;
  readonly want: Expected;
}

/** `Key=value` lines of an answer; of a key that comes twice the first. */
export const echoedLines = (body: string): Readonly<Record<string, string>> => {
  const lines: Record<string, string> = {};
  for (const line of body.split("\n")) {
    const equals = line.indexOf("=");
    if (equals > 0) lines[line.slice(0, equals)] ??= line.slice(equals + 1);
  }
  return lines;
};

/** Headers of the request as the server had it: by name in lower case, values joined with a comma. */
export const echoedHeaders = (body: string): Readonly<Record<string, string>> => {
  const values: Record<string, string[]> = {};
  for (const line of body.split("\n")) {
    const [, name = "", value = ""] = /^RequestHeader=([^:]*):(.*)$/.exec(line) ?? [];
    if (name !== "") (values[name.toLowerCase()] ??= []).push(value);
  }
  return joined(values);
};

const joined = (values: Readonly<Record<string, readonly string[]>>): Readonly<Record<string, string>> =>
  Object.fromEntries(Object.entries(values).map(([name, list]) => [name, list.join(",")]));

/** Which of the expectations an answer does not meet, one a line. */
export const deviations = ({ request, from, want }: Case, answer: Answer): readonly string[] => {
  const who = `${from === undefined ? "" : `${from}: `}${request.method ?? "GET"} ${request.url} ${JSON.stringify(request.headers ?? {})}`;
  if (answer.error !== undefined) return [`${who}: ${answer.error}`];
  const lines = echoedLines(answer.body);
  const wanted = (what: string, expected: unknown, got: unknown): readonly string[] =>
    expected === got ? [] : [`${who}: ${what} is ${JSON.stringify(got)}, not ${JSON.stringify(expected)}`];
  const all = (
    what: string,
    expected: Readonly<Record<string, string | undefined>>,
    got: Readonly<Record<string, string>>,
  ): readonly string[] =>
    Object.entries(expected).flatMap(([name, value]) => wanted(`${what} ${name}`, value, got[name.toLowerCase()]));
  const isGrpc = answer.code !== undefined;
  // Metadata of a call that failed at once comes as one section.
  const fields = isGrpc ? { ...answer.headers, ...answer.trailers } : answer.headers;
  const meshError = fields["x-heddle-error"]?.join(",");
  const isMeshErrorWanted =
    want.meshError instanceof RegExp ? want.meshError.test(meshError ?? "") : want.meshError === meshError;
  return [
    ...(isGrpc
      ? wanted(`gRPC status (${answer.details})`, want.code ?? 0, answer.code)
      : wanted("status", want.status ?? 200, answer.status)),
    ...(lines.Hostname?.startsWith(want.backend ?? "")
      ? []
      : want.backend === undefined
        ? []
        : [`${who}: ${want.backend} did not answer, but ${lines.Hostname ?? answer.body}`]),
    ...Object.entries(want.echoed ?? {}).flatMap(([key, value]) => wanted(key, value, lines[key])),
    ...all("request header", want.requestHeaders ?? {}, echoedHeaders(answer.body)),
    ...all("response header", want.responseHeaders ?? {}, joined(fields)),
    ...all("trailer", want.trailers ?? {}, joined(answer.trailers)),
    ...(isMeshErrorWanted ? [] : [`${who}: x-heddle-error is ${meshError}, not ${want.meshError}`]),
  ];
};

/** How many answers came from which backend: the pod's name without its last two parts; others by their status. */
export const shares = (answers: readonly Answer[]): Readonly<Record<string, number>> => {
  const counts: Record<string, number> = {};
  for (const answer of answers) {
    const { Hostname } = echoedLines(answer.body);
    const failure = answer.error ?? ((answer.code ?? 0) ? `grpc ${answer.code}` : String(answer.status ?? 0));
    const key = Hostname === undefined ? failure : Hostname.split("-").slice(0, -2).join("-");
    counts[key] = (counts[key] ?? 0) + 1;
  }
  return counts;
};
