import type { IpAddress } from "#mesh/ip-address.ts";

/** The name under which a client asks for whoever has an address: `<network>/<ip>`. */
export const addressAlias = (network: string, address: IpAddress): string => `${network}/${address}`;
