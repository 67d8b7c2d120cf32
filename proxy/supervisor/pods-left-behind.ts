import type { CapturedNamespaces } from "./captured-namespaces.ts";
import type { EnrolledPod } from "./enrolled-pod.ts";
import type { MakePod, NodeProxyOptions } from "./node-proxy.ts";

/**
 * Pods whose namespaces a supervisor that was killed had captured, and that nobody wants now. What is remembered of a namespace
 * that is gone, or is another one by now, is forgotten.
 */
export const podsLeftBehind = (
  captured: CapturedNamespaces,
  makePod: MakePod,
  isWanted: Parameters<NodeProxyOptions["leftBehind"]>[0],
): readonly EnrolledPod[] =>
  captured.identities.flatMap((identity) => {
    const record = captured.read(identity)?.record;
    if (record && isWanted(record.uid, identity)) return [];
    const pod = record && podIn(makePod, record);
    if (pod?.namespaceIdentity === identity) return [pod];
    pod?.letGo();
    captured.forget(identity);
    return [];
  });

const podIn = (makePod: MakePod, record: Parameters<MakePod>[0]): EnrolledPod | undefined => {
  try {
    return makePod(record);
  } catch {
    return undefined;
  }
};
