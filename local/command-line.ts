/** A command line for people to try, about one mesh: its name is only said where it is not the usual one. */
export const commandLine = (mesh: string, command: string, ...args: readonly string[]): string =>
  ["heddle", command, ...(mesh === DEFAULT_MESH ? [] : ["--name", mesh]), ...args].join(" ");

/** What a mesh is called that nobody gave a name. */
export const DEFAULT_MESH = "default";
