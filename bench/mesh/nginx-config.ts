import { mkdirSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** Where the server listens: with the same answers, so that a proxy may take one for HTTP and another for bytes. */
export const SERVER_PORTS = { http: 8080, bytes: 8081, http2: 8082, bytesOfHttp2: 8083 } as const;

/** Where the service in the mesh does. */
export const SERVICE_PORTS = { http: 80, bytes: 81, http2: 82, bytesOfHttp2: 83 } as const;

/** What HTTP/2 requests ask for: a call of gRPC, as far as its path goes. */
export const RPC = { service: "shop.Cart", method: "Get" } as const;
export const RPC_PATH = `/${RPC.service}/${RPC.method}`;

/** Whatever lies below it is answered like `/`. */
export const CALLED_PREFIX = "/route-1000";

/** What `/bulk` answers with: large enough that asking for it again costs nothing, small enough for the page cache. */
const BULK_BYTES = 64 * 1024 * 1024;

/**
 * One process under the one user id that every mesh has, no log, connections that stay open for as long as the client likes.
 * @param folder with the file `bulk`, and for its temporary files
 */
const nginxConfig = (folder: string): string => `
daemon off;
user root;
master_process off;
pid ${folder}/nginx.pid;
error_log stderr warn;
events { worker_connections 16384; }
http {
  access_log off;
  sendfile on;
  tcp_nopush on;
  keepalive_timeout 600s;
  keepalive_requests 1000000000;
  client_body_temp_path ${folder}/body;
  proxy_temp_path ${folder}/proxy;
  fastcgi_temp_path ${folder}/fastcgi;
  uwsgi_temp_path ${folder}/uwsgi;
  scgi_temp_path ${folder}/scgi;
  server {
    listen ${SERVER_PORTS.http} backlog=4096;
    listen ${SERVER_PORTS.bytes} backlog=4096;
    listen ${SERVER_PORTS.http2} backlog=4096 http2;
    listen ${SERVER_PORTS.bytesOfHttp2} backlog=4096 http2;
    default_type text/plain;
    location = / { return 200 "hello from the server\\n"; }
    location = ${RPC_PATH} { return 200 "hello from the server\\n"; }
    location ^~ ${CALLED_PREFIX}/ { return 200 "hello from the server\\n"; }
    location = /bulk { alias ${folder}/bulk; }
  }
}
`;

/** Writes what a server of this name needs into a folder of its own in the one that pods see. */
export const writeServer = (folder: string, name: string): void => {
  const own = serverFolder(folder, name);
  mkdirSync(own);
  writeFileSync(join(own, "nginx.conf"), nginxConfig(own));
  writeFileSync(join(own, "bulk"), "");
  truncateSync(join(own, "bulk"), BULK_BYTES);
};

export const serverFolder = (folder: string, name: string): string => join(folder, `nginx-${name}`);
