import type { ServiceName } from "../service.ts";
import { type Field, fieldValue } from "./field.ts";
import { MAX_REGEX_WORK, type RegexBudget } from "./linear-regex.ts";

/** All that a route may look at. */
export interface RequestFacts {
  readonly method: string;
  readonly scheme: "http" | "https";
  /** Host and port as the client wrote them. */
  readonly authority: string;
  /** Path and query, as they were sent. */
  readonly target: string;
  readonly fields: readonly Field[];
  /** Of the pod that sends the request. */
  readonly sourceNamespace: string;
  /** By the address that the client called, not by `authority`. */
  readonly service: ServiceName;
  readonly port: number;
}

/** A request as it is held against matches: what is looked at is taken apart once, and only if it is looked at. */
export class MatchedRequest {
  readonly method: string;
  readonly path: string;
  readonly #fields: readonly Field[];
  readonly #target: string;
  #budget: RegexBudget | undefined;
  #headers: Map<string, string | undefined> | undefined;
  #queryParams: ReadonlyMap<string, string> | undefined;

  constructor({ method, target, fields }: Pick<RequestFacts, "method" | "target" | "fields">) {
    const mark = target.indexOf("?");
    this.method = method;
    this.path = mark < 0 ? target : target.slice(0, mark);
    this.#target = target;
    this.#fields = fields;
  }

  /** For all regular expressions that it is held against. */
  get budget(): RegexBudget {
    return (this.#budget ??= { work: MAX_REGEX_WORK });
  }

  /** @param name in lower case. @returns the values of all fields of that name, joined with a comma */
  header(name: string): string | undefined {
    this.#headers ??= new Map();
    if (this.#headers.has(name)) return this.#headers.get(name);
    const value = fieldValue(this.#fields, name);
    this.#headers.set(name, value);
    return value;
  }

  /** The first value of a parameter. */
  queryParam(name: string): string | undefined {
    this.#queryParams ??= parseQuery(splitTarget(this.#target).query.slice(1));
    return this.#queryParams.get(name);
  }
}

/** The path, and the query with its question mark or nothing. */
export const splitTarget = (target: string): { readonly path: string; readonly query: string } => {
  const mark = target.indexOf("?");
  return mark < 0 ? { path: target, query: "" } : { path: target.slice(0, mark), query: target.slice(mark) };
};

/** Names and first values, decoded as of a form; what is not well encoded stands as it is. */
const parseQuery = (query: string): ReadonlyMap<string, string> => {
  const params = new Map<string, string>();
  for (const part of query.split("&")) {
    const equals = part.indexOf("=");
    const name = decode(equals < 0 ? part : part.slice(0, equals));
    if (!params.has(name)) params.set(name, equals < 0 ? "" : decode(part.slice(equals + 1)));
  }
  return params;
};

const decode = (text: string): string => {
  if (!/[%+]/.test(text)) return text;
  try {
    return decodeURIComponent(text.replaceAll("+", " "));
  } catch {
    return text;
  }
};

/** Whether the client speaks gRPC, which wants its errors as trailers (not gRPC-Web). */
export const isGrpc = ({ fields }: Pick<RequestFacts, "fields">): boolean => {
  const type = fieldValue(fields, "content-type");
  return type !== undefined && /^application\/grpc(?:[+;]|$)/i.test(type);
};
