import { isToken } from "./characters.ts";
import { Http1Error, quote } from "./http1-error.ts";

/** The IANA HTTP Method Registry, without PRI, which is no method but the HTTP/2 preface. */
export const REGISTERED_METHODS: ReadonlySet<string> = new Set(
  (
    "GET HEAD POST PUT DELETE CONNECT OPTIONS TRACE PATCH QUERY ACL BASELINE-CONTROL BIND CHECKIN CHECKOUT COPY LABEL LINK " +
    "LOCK MERGE MKACTIVITY MKCALENDAR MKCOL MKREDIRECTREF MKWORKSPACE MOVE ORDERPATCH PROPFIND PROPPATCH REBIND REPORT " +
    "SEARCH UNBIND UNCHECKOUT UNLINK UNLOCK UPDATE UPDATEREDIRECTREF VERSION-CONTROL"
  ).split(" "),
);

/** Methods are case-sensitive (RFC 9110 section 9.1): `get` is a mistake, and not another method that nobody knows. */
export const checkMethod = (method: string, known: ReadonlySet<string>): void => {
  if (known.has(method)) return;
  if (!isToken(method) || /[a-z]/.test(method))
    throw new Http1Error("bad-method", `${quote(method)} is no method: a token in capitals (RFC 9110 section 9.1)`);
  throw new Http1Error("unknown-method", `method ${quote(method)} is not known here`);
};
