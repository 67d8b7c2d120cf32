import type { InventoryPod } from "#mesh/admin/inventory.ts";
import { err, ok, type Result } from "#mesh/result.ts";
import { nodeName } from "../addresses/address-plan.ts";

/** Annotation that asks for a node of a local mesh, by number or by name: `"2"` or `node-2`. */
export const NODE_ANNOTATION = "local.heddle.dev/node";

/**
 * Chooses a node for a pod: the one it names (spec.nodeName, else the annotation), else the one it was on before, else the
 * one with the fewest pods.
 * @param podsOnNodes how many pods each node has, node 1 first
 * @param previous the node it was on before
 * @returns the node's number, or why there is none
 */
export const chooseNode = (
  pod: InventoryPod,
  podsOnNodes: readonly number[],
  previous: number | undefined,
): Result<number, string> => {
  const wanted = wantedNode(pod);
  const count = podsOnNodes.length;
  if (wanted === undefined) return ok(previous !== undefined && previous <= count ? previous : emptiest(podsOnNodes));
  const number = Number(/^(?:node-)?([1-9][0-9]{0,3})$/.exec(wanted.value)?.[1]);
  if (number <= count) return ok(number);
  const nodes = Array.from({ length: count }, (_, index) => nodeName(index + 1)).join(", ");
  return err(
    `${wanted.path}: there is no node ${JSON.stringify(wanted.value)}, only ${nodes}; ` +
      "name one of these, or start the mesh with more --nodes",
  );
};

/** Whether the pod insists on a node, and on which. */
const wantedNode = (pod: InventoryPod): { readonly path: string; readonly value: string } | undefined => {
  if (pod.nodeName !== "") return { path: "spec.nodeName", value: pod.nodeName };
  const annotation = Object.hasOwn(pod.annotations, NODE_ANNOTATION) ? pod.annotations[NODE_ANNOTATION] : undefined;
  return annotation === undefined ? undefined : { path: `metadata.annotations[${NODE_ANNOTATION}]`, value: annotation };
};

const emptiest = (podsOnNodes: readonly number[]): number => podsOnNodes.indexOf(Math.min(...podsOnNodes)) + 1;
