import type { InventoryService } from "#mesh/admin/inventory.ts";
import { type IpAddress, ipFamily } from "#mesh/ip-address.ts";
import type { AddressBook } from "../addresses/address-book.ts";
import { type AddressPair, usable } from "../addresses/address-plan.ts";
import type { AssignedService } from "../pods/assigned-folder.ts";
import type { Result } from "#mesh/result.ts";

/** Services with the addresses they have in this mesh, and who got theirs from it. */
export interface AddressedServices {
  readonly services: readonly InventoryService[];
  readonly assigned: readonly AssignedService[];
  readonly problems: readonly string[];
}

export const serviceKey = ({ namespace, name }: Pick<InventoryService, "namespace" | "name">): string =>
  `${namespace}/${name}`;

/**
 * Gives an address to every service that wants one and declares none, as an API server does. What a service declares is its
 * own; nobody else gets it.
 */
export const addressServices = (
  services: readonly InventoryService[],
  book: Pick<AddressBook, "addressesOfService" | "serviceAddressesGiven">,
  hasIpv6: boolean,
): AddressedServices => {
  const problems: string[] = [];
  const assigned: AssignedService[] = [];
  const isDeclared = (service: InventoryService): boolean =>
    declaresAddress(service, book.serviceAddressesGiven(serviceKey(service)));
  const declared = services.filter(isDeclared).flatMap(({ addresses }) => addresses);
  const addressed = services.map((service) => {
    if (!service.wantsAddress || isDeclared(service)) return service;
    const given: Result<AddressPair, string> = book.addressesOfService(serviceKey(service), declared);
    if (!given.ok) {
      problems.push(`Service ${serviceKey(service)} has no address: ${given.error}`);
      return service;
    }
    const addresses = usable(given.value, hasIpv6).filter((address) => wants(service, address));
    assigned.push({ namespace: service.namespace, name: service.name, addresses });
    return { ...service, addresses };
  });
  return { services: addressed, assigned, problems };
};

const wants = ({ ipFamilies }: InventoryService, address: IpAddress): boolean =>
  ipFamilies.length === 0 || ipFamilies.includes(ipFamily(address));

/** The control plane lists addresses from wherever it has them: what was given here before is not declared. */
const declaresAddress = ({ addresses }: InventoryService, given: AddressPair | undefined): boolean =>
  addresses.some((address) => address !== given?.ipv4 && address !== given?.ipv6);
