import type { HeaderModifier, HeaderValue } from "#mesh/routes/route.ts";

/** What is different between two lists of header fields: `+ name: value`, `- name`. */
export const headerChanges = (before: readonly HeaderValue[], after: readonly HeaderValue[]): readonly string[] => {
  const [old, now] = [before.map(headerText), after.map(headerText)];
  const namesNow = new Set(after.map(({ name }) => name.toLowerCase()));
  const gone = [...new Set(before.map(({ name }) => name.toLowerCase()))].filter((name) => !namesNow.has(name));
  return [...now.filter((text) => !old.includes(text)).map((text) => `+ ${text}`), ...gone.map((name) => `- ${name}`)];
};

/** What a modifier of headers does. */
export const headerModifierText = ({ set, add, remove }: HeaderModifier): readonly string[] => [
  ...set.map((each) => `= ${headerText(each)}`),
  ...add.map((each) => `+ ${headerText(each)}`),
  ...remove.map((name) => `- ${name}`),
];

const headerText = ({ name, value }: HeaderValue): string => `${name.toLowerCase()}: ${value}`;
