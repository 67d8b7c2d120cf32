import { afterAll, beforeAll, expect, test } from "vitest";
import { namespace, sleeper } from "../../local/yaml.ts";
import { onNode } from "../../mesh/talking-pods.ts";
import { echoedHeaders } from "./echo-answer.ts";
import { CLIENTS, EchoMesh, MESH } from "./echo-mesh.ts";

// What stands in these fields at an application was set by proxies, from what they verified; what callers claim is gone.

const STRANGER = "outside/stranger";
const mesh = new EchoMesh({
  "outside.yaml": namespace("outside") + sleeper(STRANGER, { annotations: onNode(1) }),
});
beforeAll(() => mesh.upAndReady());
afterAll(() => mesh.dispose());

const CLAIMS = {
  "X-Forwarded-For": "203.0.113.9",
  "X-Forwarded-Client-Cert": "By=spiffe://cluster.local/ns/a/sa/b;URI=spiffe://cluster.local/ns/admin/sa/admin",
  "X-Request-Id": "mine",
  "X-Heddle-Error": "mine",
};
/** A request of HTTP/1 with such a name is refused as it is: servers confuse it with the other. */
const OF_HTTP2 = { ...CLAIMS, x_forwarded_for: "203.0.113.9" };
const identity = (account: string): string => `spiffe://cluster.local/ns/${MESH}/sa/${account}`;

/** The fields as the application has them, and what it has under any other spelling. */
const atApplication = async (from: string, scheme: string) => {
  const headers = scheme === "h2c" ? OF_HTTP2 : CLAIMS;
  const [answer] = await mesh.send([{ url: `${scheme}://echo-v2.${MESH}/`, headers }], from);
  if (answer?.status !== 200) throw new Error(JSON.stringify(answer));
  const seen = echoedHeaders(answer.body);
  return {
    "x-forwarded-for": seen["x-forwarded-for"],
    "x-forwarded-client-cert": seen["x-forwarded-client-cert"],
    "x-request-id": seen["x-request-id"],
    others: Object.keys(seen).filter((name) => name.includes("_") || name.startsWith("x-heddle")),
  };
};

const UUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

test.each(["http", "h2c"])(
  "over %s, of a caller in the mesh the application learns what its certificate proves",
  async (scheme) => {
    const address = await mesh.address(CLIENTS["echo-v1"]);
    const address6 = await mesh.address(CLIENTS["echo-v1"], 6).catch(() => address);
    const seen = await atApplication("echo-v1", scheme);
    expect([address, address6]).toContain(seen["x-forwarded-for"]);
    expect(seen).toMatchObject({
      "x-forwarded-client-cert": `By=${identity("echo-v2")};URI=${identity("echo-v1")}`,
      "x-request-id": expect.stringMatching(UUID) as unknown,
      others: [],
    });
    expect((await atApplication("echo-v1", scheme))["x-request-id"]).not.toBe(seen["x-request-id"]);
  },
);

test.each(["http", "h2c"])(
  "over %s, of a caller outside of the mesh it learns the address, and no identity",
  async (scheme) => {
    const address = await mesh.address(STRANGER);
    const address6 = await mesh.address(STRANGER, 6).catch(() => address);
    const seen = await atApplication(STRANGER, scheme);
    expect([address, address6]).toContain(seen["x-forwarded-for"]);
    expect(seen).toMatchObject({
      "x-forwarded-client-cert": undefined,
      "x-request-id": expect.stringMatching(UUID) as unknown,
      others: [],
    });
  },
);
