import type { Http2Settings } from "../../http/http2-server.ts";
import {
  type Http1ServerSettings,
  HTTP1_CLIENT_SETTINGS,
  HTTP1_SERVER_SETTINGS,
} from "../../transport/http1-limits.ts";
import { APPLICATION_PATIENCE, HTTP2_LIMITS } from "../../transport/http2-limits.ts";

const HOUR_MS = 3_600_000;

/*
 * How long HTTP connections may be idle. Whoever sends requests closes, so that none meets a connection that is being closed:
 * the proxy closes its own connections to other proxies and to applications after a minute, and those that others have to it
 * hardly ever.
 */

/** From pods, and from outside the mesh. */
export const CALLER_HTTP1: Http1ServerSettings = {
  ...HTTP1_SERVER_SETTINGS,
  patience: { ...HTTP1_SERVER_SETTINGS.patience, keepAliveMs: HOUR_MS },
};

export const CALLER_HTTP2: Http2Settings = { limits: HTTP2_LIMITS.limits, patience: APPLICATION_PATIENCE };

/*
 * Proxies add fields to what was within the limits of the caller's: without room for them a head that one accepted would be refused
 * by the next.
 */
const ADDED_BYTES = 4 * 1024;
const ADDED_FIELDS = 16;

/** From other proxies. */
export const PEER_HTTP1: Http1ServerSettings = {
  ...CALLER_HTTP1,
  limits: {
    ...CALLER_HTTP1.limits,
    startLineBytes: CALLER_HTTP1.limits.startLineBytes + ADDED_BYTES,
    headBytes: CALLER_HTTP1.limits.headBytes + ADDED_BYTES,
    fields: CALLER_HTTP1.limits.fields + ADDED_FIELDS,
  },
};

const { limits } = HTTP2_LIMITS;
export const PEER_HTTP2: Http2Settings = {
  ...CALLER_HTTP2,
  limits: {
    ...limits,
    settings: { ...limits.settings, maxHeaderListSize: limits.settings.maxHeaderListSize + ADDED_BYTES },
    fields: {
      ...limits.fields,
      maxBytes: limits.fields.maxBytes + ADDED_BYTES,
      maxFields: limits.fields.maxFields + ADDED_FIELDS,
    },
    maxBlockBytes: limits.maxBlockBytes + ADDED_BYTES,
  },
};

/** To proxies, applications, and endpoints outside the mesh. */
export const ENDPOINT_HTTP1 = HTTP1_CLIENT_SETTINGS;
export const ENDPOINT_HTTP2 = CALLER_HTTP2;
