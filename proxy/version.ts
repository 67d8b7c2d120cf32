import packageJson from "../package.json" with { type: "json" };

/** The version of Heddle. */
export const VERSION: string = packageJson.version;
