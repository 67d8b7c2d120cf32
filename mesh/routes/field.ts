/** A header field as routes see it; fields of a message on the wire are such. */
export interface Field {
  readonly name: string;
  readonly value: string;
  readonly isNeverIndexed: boolean;
}

/** A field that a route makes. @param name in lower case, which HTTP/2 demands and HTTP/1 does not mind */
export const newField = (name: string, value: string): Field => ({ name, value, isNeverIndexed: false });

/** Most differ in length or at once, and nothing is made of them. */
export const isNamed = ({ name }: Field, lowerCaseName: string): boolean => {
  if (name.length !== lowerCaseName.length) return false;
  for (let at = 0; at < name.length; at++) {
    const code = name.charCodeAt(at);
    const isUpperCase = code >= 0x41 && code <= 0x5a;
    if ((isUpperCase ? code + 0x20 : code) !== lowerCaseName.charCodeAt(at)) return false;
  }
  return true;
};

/** The values of all fields of a name, joined with a comma (RFC 9110 section 5.3); undefined where there is none. */
export const fieldValue = (fields: readonly Field[], lowerCaseName: string): string | undefined => {
  let joined: string | undefined;
  for (const field of fields) {
    if (isNamed(field, lowerCaseName)) joined = joined === undefined ? field.value : `${joined},${field.value}`;
  }
  return joined;
};
