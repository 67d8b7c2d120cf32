import { nodeName } from "./addresses/address-plan.ts";

/** Where things are inside a mesh: on its own /run, which nobody outside sees and which ends with it. */
export const RUN = {
  /** The project's tree, readable for every user id. */
  program: "/run/heddle/program",
  cache: "/run/heddle/cache",
  hosts: "/run/heddle/hosts",
  /** What the control plane shows to everybody. */
  public: "/run/heddle/public",
  roots: "/run/heddle/public/roots.pem",
  controlPlane: "/run/heddle/control-plane",
  controlPlaneSocket: "/run/heddle/control-plane/admin.sock",
} as const;

export interface NodeLayout {
  readonly folder: string;
  readonly enrolSocket: string;
  /** Belongs to the node's agent. */
  readonly agentFolder: string;
  readonly agentSocket: string;
  readonly joinToken: string;
}

export const nodeLayout = (node: number): NodeLayout => {
  const folder = `/run/heddle/${nodeName(node)}`;
  return {
    folder,
    enrolSocket: `${folder}/enrol.sock`,
    agentFolder: `${folder}/agent`,
    agentSocket: `${folder}/agent/agent.sock`,
    joinToken: `${folder}/join-token`,
  };
};
