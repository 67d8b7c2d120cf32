import { expect, test } from "vitest";
import { captureRules, RELEASE_RULES, returnRoute } from "./rules.ts";

test("the rules of a pod without probes: marked with 0x539 under 0xfff, 15001 out, 15006 in, 15008 left to the proxy", () => {
  expect(captureRules([])).toBe(`table inet heddle
delete table inet heddle
table inet heddle {
  chain mangle_prerouting {
    type filter hook prerouting priority -150; policy accept;
    meta mark & 0xfff == 0x539 ct mark set ct mark & 0xfffff000 | 0x111
  }
  chain mangle_output {
    type route hook output priority -150; policy accept;
    ct mark & 0xfff == 0x111 meta mark set meta mark & 0xfffff000 | 0x111
  }
  chain nat_prerouting {
    type nat hook prerouting priority -100; policy accept;
    tcp flags & (fin | syn | rst | ack) != syn accept
    iifname "lo" accept
    tcp dport 15008 accept
    meta l4proto tcp redirect to :15006
  }
  chain nat_input {
    type nat hook input priority 100; policy accept;
  }
  chain nat_output {
    type nat hook output priority -100; policy accept;
    tcp flags & (fin | syn | rst | ack) != syn accept
    meta mark & 0xfff == 0x539 accept
    meta mark & 0xfff == 0x111 accept
    oifname "lo" accept
    meta l4proto tcp redirect to :15001
  }
}
`);
});

test.each([
  ["IPv4", ["10.0.0.1"], ["ip saddr { 10.0.0.1 } accept"]],
  ["IPv6", ["fd00::1"], ["ip6 saddr { fd00::1 } accept"]],
  [
    "both families",
    ["10.0.0.1", "fd00::1", "169.254.7.127"],
    ["ip saddr { 10.0.0.1, 169.254.7.127 } accept", "ip6 saddr { fd00::1 } accept"],
  ],
])("probes of %s reach the application before anything is redirected, on the way in only", (_, probes, rules) => {
  const text = captureRules(probes);
  const prerouting = chain(text, "nat_prerouting");
  expect(prerouting.slice(3, -2)).toEqual(rules);
  expect(prerouting.at(-1)).toBe("meta l4proto tcp redirect to :15006");
  expect(text.split("saddr").length - 1).toBe(rules.length);
});

test("a live connection is redirected by neither hook: the first rule of both lets pass what does not begin one", () => {
  for (const name of ["nat_prerouting", "nat_output"]) {
    expect(chain(captureRules([]), name)[1]).toBe("tcp flags & (fin | syn | rst | ack) != syn accept");
  }
});

test("marks are read and written under the mask: other bits belong to others", () => {
  const lines = captureRules([]).split("\n");
  for (const line of lines.filter((each) => / mark /.test(each))) {
    expect(line).toMatch(/mark & 0xfff == 0x(?:539|111)/);
    if (line.includes("set")) expect(line).toMatch(/set (?:ct|meta) mark & 0xfffff000 \| 0x111$/);
  }
});

test("the rules go as they came: in one transaction that also works where there are none", () => {
  expect(RELEASE_RULES).toBe("table inet heddle\ndelete table inet heddle\n");
  expect(captureRules([]).startsWith(RELEASE_RULES)).toBe(true);
});

test.each([
  ["add", 4, "0.0.0.0/0"],
  ["add", 6, "::/0"],
  ["del", 4, "0.0.0.0/0"],
  ["del", 6, "::/0"],
] as const)(
  "%s of the IPv%i way back: table 100 for the return mark, before every other table",
  (action, family, all) => {
    expect(returnRoute(action, family)).toBe(
      `rule ${action} fwmark 0x111/0xfff lookup 100 pref 32764\nroute ${action} local ${all} dev lo table 100\n`,
    );
  },
);

/** The lines of one chain, its hook first. */
const chain = (text: string, name: string): readonly string[] =>
  (new RegExp(`chain ${name} \\{\\n([^}]*(?:\\{[^}]*\\}[^}]*)*?)\\n  \\}`).exec(text)?.[1] ?? "")
    .split("\n")
    .map((line) => line.trim());
