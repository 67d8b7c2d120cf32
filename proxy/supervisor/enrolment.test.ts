import * as fc from "fast-check";
import { expect, test } from "vitest";
import { formatAnswer, MAX_LINE_LENGTH, parseEnrolment, riskyCapabilities } from "./enrolment.ts";

const POD = {
  uid: "0f5c",
  namespace: "shop",
  name: "web-0",
  serviceAccount: "web",
  addresses: ["10.244.1.10"],
  netns: "/run/netns/web",
  node: "node-1",
};

const parse = (message: unknown): ReturnType<typeof parseEnrolment> => parseEnrolment(JSON.stringify(message));
const enrol = (changes: object = {}): ReturnType<typeof parseEnrolment> =>
  parse({ version: 1, kind: "enrol", pod: { ...POD, ...changes } });

test("a pod is enrolled with everything that was said of it", () => {
  const more = { probeAddresses: ["10.244.1.1"], capabilities: ["CHOWN"] };
  expect(enrol(more)).toEqual({ kind: "enrol", pod: { ...POD, ...more } });
});

test("probe addresses and capabilities may be left out; what is unknown is left alone", () => {
  expect(enrol({ color: "blue" })).toEqual({ kind: "enrol", pod: { ...POD, probeAddresses: [], capabilities: [] } });
});

test("drain and withdraw name a pod, complete nobody", () => {
  expect(parse({ version: 1, kind: "drain", uid: "a" })).toEqual({ kind: "drain", uid: "a" });
  expect(parse({ version: 1, kind: "withdraw", uid: "a" })).toEqual({ kind: "withdraw", uid: "a" });
  expect(parse({ version: 1, kind: "complete" })).toEqual({ kind: "complete" });
});

test.each([
  ["", "not JSON"],
  ["{", "not JSON"],
  ["[]", "not a JSON object"],
  ["null", "not a JSON object"],
  ['"enrol"', "not a JSON object"],
  ["{}", "version undefined is not spoken, only 1"],
  ['{"version":2,"kind":"complete"}', "version 2 is not spoken, only 1"],
  ['{"version":"1","kind":"complete"}', 'version "1" is not spoken, only 1'],
  ['{"version":{"toString":1,"valueOf":1}}', 'version {"toString":1,"valueOf":1} is not spoken, only 1'],
  ['{"version":1}', "kind undefined is unknown"],
  ['{"version":1,"kind":"enroll"}', 'kind "enroll" is unknown'],
  ['{"version":1,"kind":["enrol"]}', 'kind ["enrol"] is unknown'],
  ['{"version":1,"kind":"drain"}', "uid must be a text"],
  ['{"version":1,"kind":"withdraw","uid":7}', "uid must be a text"],
  ['{"version":1,"kind":"withdraw","uid":""}', "uid must be a text"],
  ['{"version":1,"kind":"enrol"}', "pod is missing"],
  ['{"version":1,"kind":"enrol","pod":[]}', "pod is missing"],
])("%s is refused: %s", (line, reason) => {
  expect(parseEnrolment(line)).toBe(reason);
});

const NO_NAME = "must be a name of Kubernetes (RFC 1123)";
const ADDRESSES = "must be a list of IP addresses";

test.each([
  ["uid", 7, "must be a text"],
  ["uid", "", "must be a text"],
  ["uid", "a\nb", "must be a text"],
  ["uid", "u".repeat(513), "must be a text"],
  ["node", undefined, "must be a text"],
  ["node", "n\u0000", "must be a text"],
  ["namespace", "Shop", NO_NAME],
  ["namespace", "a/b", NO_NAME],
  ["name", "", NO_NAME],
  ["name", "-web", NO_NAME],
  ["name", "n".repeat(254), NO_NAME],
  ["name", ["web"], NO_NAME],
  ["serviceAccount", "web\n", NO_NAME],
  ["serviceAccount", "../admin", NO_NAME],
  ["netns", "run/netns/web", "must be an absolute path"],
  ["netns", undefined, "must be an absolute path"],
  ["netns", "/run/\u0000", "must be an absolute path"],
  ["addresses", undefined, ADDRESSES],
  ["addresses", [], ADDRESSES],
  ["addresses", "10.0.0.1", ADDRESSES],
  ["addresses", { 0: "10.0.0.1", length: 1 }, ADDRESSES],
  ["addresses", ["10.0.0.1", "10.0.0.256"], ADDRESSES],
  ["addresses", ["10.0.0.0/8"], ADDRESSES],
  ["addresses", ["fe80::1%eth0"], ADDRESSES],
  ["addresses", ["010.0.0.1"], ADDRESSES],
  ["addresses", Array.from({ length: 65 }, (_, index) => `10.0.0.${index}`), ADDRESSES],
  ["probeAddresses", null, ADDRESSES],
  ["probeAddresses", ["10.0.0.1 } accept; drop"], ADDRESSES],
  ["capabilities", "NET_RAW", "must be a list of names"],
  ["capabilities", [1], "must be a list of names"],
  ["capabilities", [""], "must be a list of names"],
])("pod.%s %j is refused by its path", (field, value, reason) => {
  expect(enrol({ [field]: value })).toBe(`pod.${field} ${reason}`);
});

test.each([
  ["10.244.1.10", "10.244.1.10"],
  ["FD00:0:0::A", "fd00::a"],
  ["::ffff:10.0.0.1", "10.0.0.1"],
  ["::ffff:0a00:0001", "10.0.0.1"],
  ["0:0:0:0:0:0:0:1", "::1"],
])("the address %s is %s from here on", (address, canonical) => {
  expect(enrol({ addresses: [address], probeAddresses: [address] })).toMatchObject({
    pod: { addresses: [canonical], probeAddresses: [canonical] },
  });
});

test("no line, however strange, makes the parser throw, and what it lets through is of the known form", () => {
  const json = fc.json({ maxDepth: 4 });
  const half = fc.record(
    {
      version: fc.constantFrom(1, 2),
      kind: fc.oneof(fc.constantFrom("enrol", "drain", "withdraw", "complete"), fc.jsonValue()),
      uid: fc.jsonValue(),
      pod: fc.record(
        Object.fromEntries(
          Object.entries(POD).map(([name, value]) => [name, fc.oneof(fc.constant(value), fc.jsonValue())]),
        ),
        { requiredKeys: [] },
      ),
    },
    { requiredKeys: [] },
  );
  const line = fc.oneof(
    json,
    fc.string(),
    half.map((message) => JSON.stringify(message)),
  );
  const property = fc.property(line, (line) => {
    const request = parseEnrolment(line);
    if (typeof request === "string") expect(request).toMatch(/missing|must be|unknown|not /);
    else if (request.kind === "enrol") expect(request.pod.netns).toMatch(/^\//);
  });
  fc.assert(property, { numRuns: 1_000 });
});

test("a line of the greatest length that only opens brackets is refused like any other", () => {
  const half = MAX_LINE_LENGTH / 2 - 20;
  const deep = `${"[".repeat(half)}${"]".repeat(half)}`;
  expect(parseEnrolment(`{"version":1,"kind":${deep}}`)).toMatch(/is unknown$/);
  expect(parseEnrolment(`{"version":${deep}}`)).toMatch(/is not spoken/);
});

test("of a pod's capabilities those are told with which it could leave the mesh, in whatever form they are written", () => {
  const all = ["CHOWN", "NET_RAW", "cap_net_admin", "CAP_SYS_ADMIN", "BPF", "all", "KILL", "SYS_PTRACE", "SYS_MODULE"];
  expect(riskyCapabilities(all)).toEqual([
    "NET_RAW",
    "NET_ADMIN",
    "SYS_ADMIN",
    "BPF",
    "ALL",
    "SYS_PTRACE",
    "SYS_MODULE",
  ]);
});

test("an answer is one line with the version", () => {
  expect(formatAnswer({ kind: "refused", uid: "a", reason: "first\nsecond" })).toBe(
    '{"version":1,"kind":"refused","uid":"a","reason":"first\\nsecond"}\n',
  );
});
