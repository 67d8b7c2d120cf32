import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { type AddressInfo, connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import type { Peer } from "./http1-peers.ts";

/** A program that is not on this machine. */
export interface MissingPeer {
  readonly name: string;
  readonly howToGet: string;
}

interface Program {
  readonly name: string;
  readonly command: string;
  readonly howToGet: string;
  readonly config: (port: number, backendPort: number, folder: string) => string;
  readonly args: (configFile: string, folder: string) => readonly string[];
}

const nginx: Program = {
  name: "nginx",
  command: "/usr/sbin/nginx",
  howToGet: "apt-get install nginx",
  args: (configFile, folder) => ["-c", configFile, "-p", folder, "-e", join(folder, "error.log")],
  config: (port, backendPort, folder) => `
daemon off; master_process off; worker_processes 1; pid ${folder}/pid; error_log ${folder}/error.log crit;
events { worker_connections 1024; }
http {
  access_log off; client_body_temp_path ${folder}/body; proxy_temp_path ${folder}/proxy;
  fastcgi_temp_path ${folder}/fastcgi; uwsgi_temp_path ${folder}/uwsgi; scgi_temp_path ${folder}/scgi;
  keepalive_requests 100000; large_client_header_buffers 8 64k; client_max_body_size 0; merge_slashes off;
  proxy_buffer_size 64k; proxy_buffers 8 64k; proxy_busy_buffers_size 128k; proxy_read_timeout 5s;
  underscores_in_headers on; ignore_invalid_headers off; client_header_timeout 2s; client_body_timeout 2s;
  server {
    listen 127.0.0.1:${port};
    location / {
      proxy_pass http://127.0.0.1:${backendPort}; proxy_http_version 1.1; proxy_ignore_client_abort on;
      proxy_set_header Connection ""; proxy_set_header Host $http_host;
    }
  }
}
`,
};

const haproxy: Program = {
  name: "haproxy",
  command: "/usr/sbin/haproxy",
  howToGet: "apt-get install haproxy",
  args: (configFile) => ["-db", "-q", "-f", configFile],
  config: (port, backendPort) => `
global
  maxconn 1000
  tune.bufsize 65536
  tune.http.maxhdr 1024
defaults
  mode http
  timeout connect 2s
  timeout client 2s
  timeout server 5s
  timeout http-request 2s
frontend in
  bind 127.0.0.1:${port}
  default_backend out
backend out
  http-reuse never
  server one 127.0.0.1:${backendPort}
`,
};

const apache: Program = {
  name: "Apache httpd",
  command: "/usr/sbin/apache2",
  howToGet: "apt-get install apache2",
  args: (configFile) => ["-X", "-f", configFile],
  config: (port, backendPort, folder) => `
ServerRoot ${folder}
ServerName localhost
Listen 127.0.0.1:${port}
PidFile ${folder}/pid
ErrorLog ${folder}/error.log
LogLevel crit
DefaultRuntimeDir ${folder}
Mutex file:${folder}
${["mpm_event", "authz_core", "proxy", "proxy_http"].map((name) => `LoadModule ${name}_module /usr/lib/apache2/modules/mod_${name}.so`).join("\n")}
User www-data
Group www-data
HttpProtocolOptions Strict
TraceEnable extended
LimitRequestLine 9000
LimitRequestFieldSize 40000
LimitRequestFields 200
AllowEncodedSlashes NoDecode
MergeSlashes Off
KeepAlive On
MaxKeepAliveRequests 0
Timeout 3
ProxyRequests Off
ProxyPass "/" "http://127.0.0.1:${backendPort}/" nocanon disablereuse=On
`,
};

const PROGRAMS: readonly Program[] = [nginx, haproxy, apache];

/** Every program that is here, started; and those that are not. */
export const startPrograms = async (
  backendPort: number,
): Promise<{ readonly peers: readonly Peer[]; readonly missing: readonly MissingPeer[] }> => {
  const peers: Peer[] = [];
  const missing: MissingPeer[] = [];
  for (const program of PROGRAMS) {
    const isThere = spawnSync(program.command, ["-v"]).error === undefined;
    if (isThere) peers.push(await start(program, backendPort));
    else missing.push({ name: program.name, howToGet: program.howToGet });
  }
  return { peers, missing };
};

const start = async (program: Program, backendPort: number): Promise<Peer> => {
  const folder = mkdtempSync(join(tmpdir(), "heddle-http1-"));
  const port = await freePort();
  const configFile = join(folder, "config");
  mkdirSync(join(folder, "logs"));
  writeFileSync(configFile, program.config(port, backendPort, folder));
  const child = spawn(program.command, program.args(configFile, folder), { stdio: ["ignore", "ignore", "pipe"] });
  let complaints = "";
  child.stderr.on("data", (text: Buffer) => (complaints += text.toString()));
  const stop = async (): Promise<void> => {
    await ended(child);
    rmSync(folder, { recursive: true, force: true });
  };
  for (let tries = 0; tries < 100; tries += 1) {
    if (child.exitCode !== null) break;
    if (await accepts(port)) return { name: program.name, port, stop };
    await wait(50);
  }
  await stop();
  throw new Error(`${program.name} did not start: ${complaints.trim()}`);
};

const ended = async (child: ChildProcess): Promise<void> => {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exit = once(child, "exit");
  child.kill("SIGTERM");
  await exit;
};

const accepts = async (port: number): Promise<boolean> => {
  const socket = connect(port, "127.0.0.1");
  const isOpen = await new Promise<boolean>((resolve) => {
    socket.once("connect", () => resolve(true));
    socket.once("error", () => resolve(false));
  });
  socket.destroy();
  return isOpen;
};

const freePort = async (): Promise<number> => {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
};
