import type { InventoryService } from "#mesh/admin/inventory.ts";
import { type IpAddress, ipFamily } from "#mesh/ip-address.ts";
import { type AddressPair, nodeAddresses, nodeName, serviceRanges } from "../addresses/address-plan.ts";
import { runCommand } from "../processes/run-command.ts";
import type { Result } from "#mesh/result.ts";
import { namespacePath } from "./namespace-path.ts";

/** One address and TCP port of a service, and the endpoints behind it. */
export interface ServiceRule {
  readonly address: IpAddress;
  readonly port: number;
  readonly endpoints: readonly { readonly address: IpAddress; readonly port: number }[];
}

/** What kube-proxy does on a node, for pods that the mesh does not capture: replaces the node's whole table at once. */
export const loadServicesTable = (
  node: number,
  services: readonly InventoryService[],
  hasIpv6: boolean,
): Promise<Result<string, string>> =>
  runCommand(["nsenter", `--net=${namespacePath(nodeName(node))}`, "nft", "-f", "-"], {
    input: servicesTable(serviceRules(services), nodeAddresses(node), hasIpv6),
  });

/** The rules of services that have an address. Only endpoints that are ready, of the address's own family, and TCP. */
export const serviceRules = (services: readonly InventoryService[]): readonly ServiceRule[] =>
  services.flatMap(({ addresses, ports, endpoints }) =>
    addresses.flatMap((address) =>
      ports
        .filter(({ transport }) => transport === "TCP")
        .map(({ port }) => ({
          address,
          port,
          endpoints: endpoints
            .filter((endpoint) => endpoint.ready && ipFamily(endpoint.address) === ipFamily(address))
            .flatMap((endpoint) => {
              const target = endpoint.ports.find((mapped) => mapped.port === port);
              return target ? [{ address: endpoint.address, port: target.targetPort }] : [];
            }),
        })),
    ),
  );

/**
 * The table as nft reads it; the first two lines make it replace the one before in the same transaction. A connection to a
 * service's address goes to a random endpoint. What still has a service's address when it would be forwarded has no
 * endpoint, and is refused. A pod that reaches itself by way of a service would answer itself past the node, so that its
 * connection gets the node's address as source.
 */
export const servicesTable = (rules: readonly ServiceRule[], node: AddressPair, hasIpv6: boolean): string => {
  const usable = rules.filter(({ address, endpoints }) => endpoints.length > 0 && (hasIpv6 || ipFamily(address) === 4));
  const refused = serviceRanges(hasIpv6).map((range) => `${family(range)} daddr ${range} goto refuse`);
  return [
    "table inet heddle-services",
    "delete table inet heddle-services",
    "table inet heddle-services {",
    ...chain("prerouting", ["type nat hook prerouting priority -100;", "jump services"]),
    ...chain("output", ["type nat hook output priority -100;", "jump services"]),
    ...chain("services", usable.map(translation)),
    ...chain("postrouting", ["type nat hook postrouting priority 100;", ...hairpins(usable, node)]),
    ...chain("forwarded", ["type filter hook forward priority 0;", ...refused]),
    ...chain("own", ["type filter hook output priority 0;", ...refused]),
    ...chain("refuse", ["meta l4proto tcp reject with tcp reset", "reject"]),
    "}",
    "",
  ].join("\n");
};

const chain = (name: string, lines: readonly string[]): readonly string[] => [
  `  chain ${name} {`,
  ...lines.map((line) => `    ${line}`),
  "  }",
];

const translation = ({ address, port, endpoints }: ServiceRule): string => {
  const targets = endpoints.map((endpoint, index) => `${index} : ${endpoint.address} . ${endpoint.port}`);
  const choice = `numgen random mod ${endpoints.length} map { ${targets.join(", ")} }`;
  return `${family(address)} daddr ${address} tcp dport ${port} dnat ${family(address)} to ${choice}`;
};

const hairpins = (rules: readonly ServiceRule[], node: AddressPair): readonly string[] => {
  const endpoints = [...new Set(rules.flatMap((rule) => rule.endpoints.map(({ address }) => address)))].sort();
  return [node.ipv4, node.ipv6].flatMap((source) => {
    const word = family(source);
    const own = endpoints.filter((address) => family(address) === word).map((address) => `${address} . ${address}`);
    const match = `${word} saddr . ${word} daddr { ${own.join(", ")} }`;
    return own.length === 0 ? [] : [`ct status dnat ${match} snat ${word} to ${source}`];
  });
};

/** nft's word for the family of an address or a range. */
const family = (text: string): "ip" | "ip6" => (text.includes(":") ? "ip6" : "ip");
