/**
 * A tunnel client that shares no code with Heddle: node:tls and node:http2 only. Reads one JSON object from its first argument,
 * prints one.
 */
import { readFileSync } from "node:fs";
import { connect as connectHttp2, type IncomingHttpHeaders, type Settings } from "node:http2";
import { connect, type SecureVersion } from "node:tls";

interface Wish {
  readonly host: string;
  readonly port?: number;
  /** PEM files; a client without a certificate leaves them out. */
  readonly cert?: string;
  readonly key?: string;
  readonly alpn?: readonly string[];
  readonly maxVersion?: SecureVersion;
  readonly headers?: IncomingHttpHeaders;
  /** Sent when the answer is 200; then the direction is ended. */
  readonly body?: string;
  /** Opens so many tunnels at once, and says how each ended. */
  readonly count?: number;
  /** Keeps the tunnel open, says `open` when it is, and reports when the connection has ended, however long that takes. */
  readonly hold?: boolean;
  /** Keeps the connection and waits so long for a GOAWAY, after the answer. */
  readonly waitMs?: number;
}

const wish = JSON.parse(process.argv[2] ?? "{}") as Wish;
const { host, port = 15008, alpn = ["h2"], headers = {}, body = "", count = 1, waitMs = 0, hold = false } = wish;
const report: Record<string, unknown> = {};

const finish = (): void => {
  process.stdout.write(`${JSON.stringify(report)}\n`, () => process.exit(0));
};
const timeout = setTimeout(() => {
  report.error ??= "timeout";
  finish();
}, 15_000 + waitMs);

const socket = connect({
  host,
  port,
  ALPNProtocols: [...alpn],
  rejectUnauthorized: false,
  ...(wish.maxVersion && { maxVersion: wish.maxVersion, minVersion: "TLSv1.2" as const }),
  ...(wish.cert && { cert: readFileSync(wish.cert), key: readFileSync(wish.key ?? "") }),
});
socket.on("error", (error: NodeJS.ErrnoException) => {
  report.error ??= error.code ?? error.message;
});
socket.on("close", () => {
  report.error ??= report.status === undefined ? "closed" : undefined;
  report.closed = true;
  finish();
});
socket.on("secureConnect", () => {
  report.tls = socket.getProtocol();
  report.alpn = socket.alpnProtocol;
  const certificate = socket.getPeerX509Certificate();
  report.certificate = certificate?.subjectAltName;
  report.serial = certificate?.serialNumber;
  report.key = certificate?.publicKey.export({ format: "der", type: "spki" }).toString("base64");
  report.issuer = certificate?.issuerCertificate?.fingerprint256;
  const session = connectHttp2(`https://${host}`, { createConnection: () => socket });
  session.on("error", (error: NodeJS.ErrnoException) => (report.error ??= error.code ?? error.message));
  session.on("remoteSettings", (settings: Settings) => (report.settings = settings));
  session.on("goaway", (code) => (report.goaway = code));
  const tunnels = Array.from({ length: count }, () => session.request({ ":method": "CONNECT", ...headers }));
  let ended = 0;
  const texts: string[] = [];
  for (const tunnel of tunnels) {
    let text = "";
    tunnel.setEncoding("utf8");
    tunnel.on("response", (response) => {
      report.status = response[":status"];
      report.headers = { ...response };
      if (response[":status"] !== 200) return tunnel.close();
      if (!hold) return void tunnel.end(body);
      clearTimeout(timeout);
      tunnel.write(body);
      process.stdout.write("open\n");
    });
    tunnel.on("data", (chunk: string) => (text += chunk));
    tunnel.on("error", (error: NodeJS.ErrnoException) => (report.streamError = error.code ?? error.message));
    tunnel.on("close", () => {
      texts.push(text);
      report.rst = tunnel.rstCode;
      if (++ended < count || hold) return;
      report.text = texts[0];
      report.answered = texts.filter((each) => each !== "").length;
      setTimeout(finish, waitMs);
    });
  }
});
