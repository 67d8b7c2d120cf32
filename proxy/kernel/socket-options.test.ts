import { mkdtempSync, rmSync } from "node:fs";
import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { loopbackPair } from "../testing/loopback.ts";
import { fileOf, openDescriptors, someDescriptor } from "../testing/open-descriptors.ts";
import { close, duplicate } from "./libc.ts";
import { peerCredentials } from "./peer-credentials.ts";
import { socketDescriptor } from "./socket-descriptor.ts";
import {
  getSocketOption,
  IP_BIND_ADDRESS_NO_PORT,
  setSocketOption,
  SO_ORIGINAL_DST,
  trySetSocketOption,
} from "./socket-options.ts";

test("what is set is read back, as many bytes as the kernel has", async () => {
  const [near] = await loopbackPair();
  const fd = socketDescriptor(near);
  setSocketOption(fd, IP_BIND_ADDRESS_NO_PORT, 1);
  expect(getSocketOption(fd, IP_BIND_ADDRESS_NO_PORT, 8)).toEqual(Uint8Array.of(1, 0, 0, 0));
  setSocketOption(fd, IP_BIND_ADDRESS_NO_PORT, 0);
  expect(getSocketOption(fd, IP_BIND_ADDRESS_NO_PORT, 4)).toEqual(Uint8Array.of(0, 0, 0, 0));
});

test("an option that cannot be set is said by its name and the errno; whoever only tries gets a number", async () => {
  const [near] = await loopbackPair();
  const fd = socketDescriptor(near);
  const unknown = { level: 0, number: 9_999, name: "IP_UNHEARD_OF" };
  expect(() => setSocketOption(fd, unknown, 1)).toThrow("setsockopt IP_UNHEARD_OF: ENOPROTOOPT");
  expect(trySetSocketOption(fd, unknown, 1)).toBeLessThan(0);
  expect(getSocketOption(fd, unknown, 4)).toBe("ENOPROTOOPT");
  expect(getSocketOption(1_000_000, SO_ORIGINAL_DST, 16)).toBe("EBADF");
});

test("the kernel says who is at the other end of a unix socket, and of no other", async () => {
  const directory = mkdtempSync(join(tmpdir(), "heddle-peer-"));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  const server = createServer().listen(join(directory, "s"));
  await once(server, "listening");
  const accepted = once(server, "connection") as Promise<[Socket]>;
  const client = connect(join(directory, "s"));
  const [peer] = await accepted;
  onTestFinished(() => {
    client.destroy();
    peer.destroy();
    server.close();
  });
  const [uid, gid] = [process.getuid?.(), process.getgid?.()];
  expect(peerCredentials(socketDescriptor(peer))).toEqual({ pid: process.pid, uid, gid });
  const file = someDescriptor();
  expect(() => peerCredentials(file)).toThrow("getsockopt SO_PEERCRED: ENOTSOCK");
  close(file);
});

test("a duplicate is another descriptor of the same file, which outlives the first", () => {
  const before = openDescriptors();
  const first = someDescriptor();
  const second = duplicate(first);
  expect([second === first, fileOf(second)]).toEqual([false, fileOf(first)]);
  close(first);
  expect(fileOf(second)).toBeDefined();
  close(second);
  expect(() => duplicate(second)).toThrow("dup: EBADF");
  expect(openDescriptors()).toBe(before);
});
