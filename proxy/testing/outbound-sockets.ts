import { onTestFinished } from "vitest";
import { hasIpv6 } from "../kernel/ipv6.ts";
import { must, socket } from "../kernel/libc.ts";
import { SocketStock } from "../worker/upstream/socket-stock.ts";

const AF_INET = 2;
const AF_INET6 = 10;
const SOCK_STREAM_NONBLOCK_CLOEXEC = 1 | 0o4000 | 0o2000000;

/** For tests: an outbound socket as the supervisor makes it, without what takes privileges. */
export const outboundSocket = (): number =>
  must("socket", socket(hasIpv6 ? AF_INET6 : AF_INET, SOCK_STREAM_NONBLOCK_CLOEXEC, 0));

/** For tests: the stocks of a pod whose supervisor gives at once what is asked for, and the kinds that were taken. */
export const suppliedStocks = () => {
  const taken: ("direct" | "local")[] = [];
  const stock = (kind: "direct" | "local"): SocketStock => {
    const supplied = new SocketStock((count) => supplied.add(Array.from({ length: count }, outboundSocket)));
    const take = supplied.take.bind(supplied);
    supplied.take = () => {
      taken.push(kind);
      return take();
    };
    onTestFinished(() => supplied.close());
    return supplied;
  };
  return { stocks: { direct: stock("direct"), local: stock("local") }, taken };
};
