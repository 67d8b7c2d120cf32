import { parseDnsLabel, parseDnsSubdomain } from "#mesh/objects/metadata.ts";
import { CliFailure, EXIT } from "./failure.ts";

export interface PodName {
  readonly namespace: string;
  readonly name: string;
}

/** Reads `NS/SERVICE`. @throws CliFailure if it is none */
export const parseServiceName = (text: string): PodName => {
  const [namespace = "", name = "", ...rest] = text.split("/");
  if (rest.length === 0 && parseDnsLabel(namespace).ok && parseDnsLabel(name).ok) return { namespace, name };
  throw new CliFailure(`${JSON.stringify(text)} names no Service`, {
    exitCode: EXIT.usage,
    hint: "write namespace and name, as in shop/web",
  });
};

/** Reads `NS/POD`. @throws CliFailure if it is none */
export const parsePodName = (text: string): PodName => {
  const [namespace = "", name = "", ...rest] = text.split("/");
  if (rest.length === 0 && parseDnsLabel(namespace).ok && parseDnsSubdomain(name).ok) return { namespace, name };
  throw new CliFailure(`${JSON.stringify(text)} names no pod`, {
    exitCode: EXIT.usage,
    hint: "write namespace and name, as in shop/web-0; `heddle status` lists the pods",
  });
};
