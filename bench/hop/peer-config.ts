/**
 * A server whose answer is short, and which keeps connections as long as anybody wants. One process, so that ending it leaves
 * nobody behind.
 */
export const nginxServer = (port: number, isHttp2: boolean, folder: string): string => `
daemon off;
master_process off;
pid ${folder}/nginx.pid;
error_log /dev/null;
events { worker_connections 4096; }
http {
  access_log off;
  keepalive_requests 1000000000;
  server {
    listen 127.0.0.1:${port}${isHttp2 ? " http2" : ""};
    location / { return 200 "an answer"; }
  }
}
`;

/** One hop of haproxy, one thread, connections to the server kept and shared. */
export const haproxyHop = (port: number, serverPort: number, isHttp2: boolean): string => {
  const protocol = isHttp2 ? " proto h2" : "";
  return `
global
  nbthread 1
  maxconn 1000
defaults
  mode http
  timeout connect 5s
  timeout client 1m
  timeout server 1m
  http-reuse always
listen hop
  bind 127.0.0.1:${port}${protocol}
  server app 127.0.0.1:${serverPort}${protocol}
`;
};
