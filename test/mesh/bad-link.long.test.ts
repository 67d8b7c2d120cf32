import { createHash } from "node:crypto";
import { execFileSync } from "node:child_process";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { AMBIENT, namespace, sleeper } from "../local/yaml.ts";
import { type Outcome, onNode, serverPod, TalkingPods } from "./talking-pods.ts";

/* Between the nodes packets get lost, or may be no longer than 1400 bytes, as in an overlay network. */

const MIB = 2 ** 20;
const BYTES = 8 * MIB;
const TRANSFERS = 4;

const mesh = new TalkingPods({
  "namespaces.yaml": namespace("shop", AMBIENT),
  "pods.yaml": sleeper("shop/client", { annotations: onNode(1) }) + serverPod("shop/web", 2, { app: "web" }),
});
beforeAll(() => mesh.upAndReady());
afterAll(() => mesh.dispose());

/** Runs a command in the network namespace of each node. */
const onNodes = (...command: readonly string[]): readonly string[] =>
  mesh.pids("proxy/supervisor/main.ts").map((pid) => {
    const user = process.getuid?.() === 0 ? [] : ["--user", "--preserve-credentials"];
    const env = { ...process.env, PATH: `${process.env.PATH}:/usr/sbin:/sbin` };
    return execFileSync("nsenter", [`--target=${pid}`, ...user, "--net", "--", ...command], { encoding: "utf8", env });
  });

const onNodesInShell = (script: string): readonly string[] => onNodes("sh", "-c", script);

afterEach(() => {
  onNodesInShell("nft delete table inet bad 2>/dev/null; ip link set eth0 mtu 1500");
});

/** The SHA-256 of what client.ts and server.ts send. */
const sha256 = (bytes: number): string => {
  const block = Buffer.alloc(65_536, "heddle");
  const hash = createHash("sha256");
  for (let left = bytes; left > 0; left -= block.length) hash.update(block.subarray(0, Math.min(left, block.length)));
  return hash.digest("hex");
};

/** What the server says of an upload, or what went wrong. */
const said = (outcome: Outcome): unknown =>
  outcome.error === undefined ? (JSON.parse(outcome.text ?? "") as unknown) : outcome;

/** What arrives of several transfers in each direction at once. */
const transfers = async (family: 4 | 6): Promise<readonly unknown[]> => {
  const address = await mesh.address("shop/web", family);
  const upload = async (): Promise<unknown> => said(await mesh.client("shop/client", "upload", address, 8081, BYTES));
  const download = (): Promise<Outcome> => mesh.client("shop/client", "download", address, 8082, BYTES);
  return Promise.all(Array.from({ length: TRANSFERS }, (_, index) => (index % 2 === 0 ? upload() : download())));
};
const COMPLETE = Array.from({ length: TRANSFERS }, () => ({ bytes: BYTES, sha256: sha256(BYTES) }));

/** Packets that a rule with a counter has dropped, on both nodes together. */
const dropped = (): number =>
  onNodes("nft", "list", "table", "inet", "bad")
    .map((text) => Number(/counter packets ([0-9]+)/.exec(text)?.[1]))
    .reduce((a, b) => a + b, 0);

const addRule = (rule: string): void => {
  const chain = "chain forward { type filter hook forward priority 0; policy accept;";
  onNodesInShell(`echo 'table inet bad { ${chain} ${rule}; }; }' | nft -f -`);
};

test.each([4, 6] as const)(
  "transfers over IPv%i arrive whole although 3 of 100 packets get lost on each node that they pass",
  async (family) => {
    addRule("meta l4proto tcp numgen random mod 100 < 3 counter drop");
    expect(await transfers(family)).toEqual(COMPLETE);
    expect(dropped()).toBeGreaterThan(50);
  },
);

/** How often the nodes, as routers, said that a packet was too long. */
const tooLong = (family: 4 | 6): number =>
  onNodes("cat", family === 4 ? "/proc/net/snmp" : "/proc/net/snmp6")
    .map((text) => {
      if (family === 6) return Number(/^Icmp6OutPktTooBigs\s+([0-9]+)/m.exec(text)?.[1]);
      const [names = [], values = []] = Array.from(text.matchAll(/^Icmp: (.*)$/gm), ([, line = ""]) => line.split(" "));
      return Number(values[names.indexOf("OutDestUnreachs")]);
    })
    .reduce((a, b) => a + b, 0);

test.each([4, 6] as const)(
  "transfers over IPv%i arrive whole where a packet may have 1400 bytes between the nodes",
  async (family) => {
    onNodes("ip", "link", "set", "eth0", "mtu", "1400");
    const before = tooLong(family);
    expect(await transfers(family)).toEqual(COMPLETE);
    expect(tooLong(family)).toBeGreaterThan(before);
  },
);
