import { expect, test } from "vitest";
import { settingsScript } from "./kernel-settings.ts";

test("settings are written one after the other, those that the kernel lacks left out", () => {
  expect(settingsScript({ "ipv4/ip_forward": "1", "ipv6/conf/all/forwarding": "1" }).split("\n")).toEqual([
    "set -e",
    "[ ! -e /proc/sys/net/ipv4/ip_forward ] || echo 1 > /proc/sys/net/ipv4/ip_forward",
    "[ ! -e /proc/sys/net/ipv6/conf/all/forwarding ] || echo 1 > /proc/sys/net/ipv6/conf/all/forwarding",
  ]);
});
