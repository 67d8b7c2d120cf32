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

/** From whoever calls. */
export const CALLER_HTTP1: Http1ServerSettings = {
  ...HTTP1_SERVER_SETTINGS,
  patience: { ...HTTP1_SERVER_SETTINGS.patience, keepAliveMs: HOUR_MS },
};

export const CALLER_HTTP2: Http2Settings = { limits: HTTP2_LIMITS.limits, patience: APPLICATION_PATIENCE };

/** To proxies, applications, and endpoints outside the mesh. */
export const ENDPOINT_HTTP1 = HTTP1_CLIENT_SETTINGS;
export const ENDPOINT_HTTP2 = CALLER_HTTP2;
