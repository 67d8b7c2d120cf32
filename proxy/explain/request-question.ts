import type { PodReference, RequestQuestion } from "#mesh/admin/request-explanation.ts";
import { parseDnsLabel, parseDnsSubdomain } from "#mesh/objects/metadata.ts";
import { err, ok, type Result } from "#mesh/result.ts";
import { type Field, isNamed, newField } from "#mesh/routes/field.ts";

/** A question that was read. */
export interface RequestAsked {
  readonly from: PodReference;
  readonly scheme: "http" | "https";
  /** As the client writes it. */
  readonly authority: string;
  /** A name in lower case, or an address without brackets. */
  readonly host: string;
  readonly port: number;
  /** With prior knowledge, as gRPC is. */
  readonly isHttp2: boolean;
  readonly method: string;
  readonly target: string;
  readonly fields: readonly Field[];
}

const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,256}$/;
/** As long as a request's target may be where nothing else is set. */
const MAX_TARGET = 8_192;
const MAX_HEADERS = 100;
const MAX_VALUE = 8_192;

/** Reads what somebody wants to have explained. @returns what is wrong with it otherwise */
export const readRequestQuestion = (value: unknown): Result<RequestAsked, string> => {
  const { from, url, method, headers = [] } = (value ?? {}) as Unread<RequestQuestion>;
  const { namespace, name } = (from ?? {}) as Unread<PodReference>;
  if (typeof namespace !== "string" || typeof name !== "string" || !isPodName(namespace, name)) {
    return err("from must have the namespace and the name of a pod");
  }
  const [, scheme = "", authority = "", rest = ""] =
    /^(https?|h2c|grpc):\/\/([^/?#\s]+)([^#\s]*)$/i.exec(typeof url === "string" ? url : "") ?? [];
  if (authority === "" || rest.length > MAX_TARGET) return err("the URL must be as http://host[:port]/path");
  const isGrpc = scheme.toLowerCase() === "grpc";
  const isTls = scheme.toLowerCase() === "https";
  const place = placeOf(authority, isTls ? 443 : 80);
  if (!place) return err(`${JSON.stringify(authority.slice(0, 256))} is no host with a port`);
  const used = method ?? (isGrpc ? "POST" : "GET");
  if (typeof used !== "string" || !TOKEN.test(used)) return err("the method is none");
  const fields = fieldsOf(headers);
  if (!fields.ok) return fields;
  const hasType = fields.value.some((field) => isNamed(field, "content-type"));
  return ok({
    from: { namespace, name },
    scheme: isTls ? "https" : "http",
    authority,
    ...place,
    isHttp2: isGrpc || scheme.toLowerCase() === "h2c",
    method: used,
    target: rest.startsWith("/") ? rest : `/${rest}`,
    fields: isGrpc && !hasType ? [newField("content-type", "application/grpc"), ...fields.value] : fields.value,
  });
};

type Unread<Value> = { readonly [Name in keyof Value]?: unknown };

const isPodName = (namespace: string, name: string): boolean =>
  parseDnsLabel(namespace).ok && parseDnsSubdomain(name).ok;

const placeOf = (
  authority: string,
  usualPort: number,
): { readonly host: string; readonly port: number } | undefined => {
  const [, bracketed, plain = "", text] =
    /^(?:\[([0-9a-f:.]+)\]|([^:[\]@]+))(?::([0-9]{1,5}))?$/i.exec(authority) ?? [];
  const host = (bracketed ?? plain).toLowerCase();
  const port = text === undefined ? usualPort : Number(text);
  return host === "" || port < 1 || port > 65_535 ? undefined : { host, port };
};

const fieldsOf = (headers: unknown): Result<readonly Field[], string> => {
  if (!Array.isArray(headers) || headers.length > MAX_HEADERS)
    return err(`at most ${MAX_HEADERS} headers are possible`);
  const fields: Field[] = [];
  for (const header of headers) {
    const { name, value } = (header ?? {}) as { readonly name?: unknown; readonly value?: unknown };
    if (typeof name !== "string" || !TOKEN.test(name)) return err(`${JSON.stringify(name)} is no header's name`);
    // oxlint-disable-next-line no-control-regex
    if (typeof value !== "string" || value.length > MAX_VALUE || /[\0-\x08\x0a-\x1f\x7f]/.test(value)) {
      return err(`the value of header ${name} is none`);
    }
    fields.push(newField(name, value.trim()));
  }
  return ok(fields);
};
