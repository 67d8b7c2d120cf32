/** Where `ip netns` keeps a namespace of this name. */
export const namespacePath = (name: string): string => `/run/netns/${name}`;
