import { styleText } from "node:util";

/** How text is marked: in colour on a terminal that shows it, not at all in a pipe or where NO_COLOR is set. */
export const bold = (text: string): string => styleText("bold", text);
export const dim = (text: string): string => styleText("dim", text);
export const good = (text: string): string => styleText("green", text);
export const doubtful = (text: string): string => styleText("yellow", text);
export const bad = (text: string): string => styleText("red", text);
