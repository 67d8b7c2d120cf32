import { Option } from "commander";

/** For people, or for programs. */
export type OutputFormat = "text" | "json";

/** The `-o` option that every command has. */
export const outputOption = (): Option =>
  new Option("-o, --output <format>", "text for people, json for programs").choices(["text", "json"]).default("text");

/** Writes one value as a line of JSON. */
export const printJson = (value: unknown): void => {
  process.stdout.write(`${JSON.stringify(value)}\n`);
};

export const printText = (text: string): void => {
  process.stdout.write(`${text}\n`);
};
