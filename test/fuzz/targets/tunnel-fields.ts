import { formatBaggage, parseBaggage } from "#wire/hbone/baggage.ts";
import { formatForwarded, forwardedHost } from "#wire/hbone/forwarded.ts";
import { formatTraceParent, parseTraceParent } from "#wire/hbone/traceparent.ts";
import { type FuzzTarget, mustEqual, words } from "../target.ts";

const textOf = (input: Uint8Array): string => Buffer.from(input).toString("latin1");

export const baggage: FuzzTarget = {
  name: "baggage",
  dictionary: words(
    ..."k8s.cluster.name=|k8s.namespace.name=|k8s.deployment.name=|k8s.cronjob.name=|k8s.pod.name=|k8s.job.name=".split(
      "|",
    ),
    ..."service.name=|service.version=|cloud.region=|cloud.availability_zone=|,|;|=|%|%2C|%C3%A9|%ff|%00|%0d%0a| |\t".split(
      "|",
    ),
  ),
  script: "/wire/hbone/",
  run: (input) => {
    const read = parseBaggage(textOf(input));
    mustEqual("what is written is read again", sorted(parseBaggage(formatBaggage(read))), sorted(read));
  },
};

export const forwarded: FuzzTarget = {
  name: "forwarded",
  dictionary: words(...'for=|host=|HOST=|"|;|"10.0.0.1:33412"|web.shop.svc.cluster.local| |\t|\\"|,'.split("|")),
  script: "/wire/hbone/",
  run: (input) => {
    const host = forwardedHost(textOf(input));
    if (host === undefined) return;
    mustEqual("what is written is read again", forwardedHost(formatForwarded({ client: "10.0.0.1:1", host })), host);
  },
};

export const traceparent: FuzzTarget = {
  name: "traceparent",
  dictionary: words(
    "00-",
    "ff-",
    "01-",
    "-",
    "0af7651916cd43dd8448eb211c80319c",
    "b7ad6b7169203331",
    "-00",
    "\n",
    "00000000",
  ),
  script: "/wire/hbone/",
  run: (input) => {
    const read = parseTraceParent(textOf(input));
    if (read !== undefined) mustEqual("what is written is read again", parseTraceParent(formatTraceParent(read)), read);
  },
};

const sorted = (baggage: object): readonly (readonly [string, unknown])[] =>
  Object.entries(baggage).toSorted(([one], [other]) => (one < other ? -1 : 1));
