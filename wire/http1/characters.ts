/**
 *     tchar     = "!" / "#" / "$" / "%" / "&" / "'" / "*" / "+" / "-" / "." / "^" / "_" / "`" / "|" / "~" / DIGIT / ALPHA
 *     in a line = HTAB / SP / VCHAR / obs-text                     (RFC 9110 section 5.5: CR, LF, NUL and other CTL never)
 *     in target = VCHAR without "#"                                (RFC 9112 section 3.2; a fragment is never sent)
 */
export const TOKEN = 1;
export const IN_LINE = 2;
export const IN_TARGET = 4;
/** Marks `_`, which gateways and CGI confuse with `-`. */
export const UNDERSCORE = 8;
/** Marks `a` to `z`. */
export const LOWER = 16;

export const HTAB = 0x09;
export const LF = 0x0a;
export const CR = 0x0d;
export const SP = 0x20;
export const COLON = 0x3a;
export const SEMICOLON = 0x3b;

/** For each byte the sum of the sets above it is in. */
export const CLASS: Uint8Array = new Uint8Array(256).map((_, code) => {
  const character = String.fromCharCode(code);
  return (
    (/[!#$%&'*+\-.^_`|~0-9A-Za-z]/.test(character) ? TOKEN : 0) +
    (/[\t\x20-\x7e\x80-\xff]/.test(character) ? IN_LINE : 0) +
    (/[!-~]/.test(character) && character !== "#" ? IN_TARGET : 0) +
    (character === "_" ? UNDERSCORE : 0) +
    (/[a-z]/.test(character) ? LOWER : 0)
  );
});

/** Whether every character is in the set; characters above 0xFF are in none, so what is written is what was checked. */
export const consistsOf = (text: string, set: number): boolean => {
  for (let i = 0; i < text.length; i += 1) {
    const code = text.charCodeAt(i);
    if (code > 0xff || ((CLASS[code] as number) & set) === 0) return false;
  }
  return true;
};

export const isToken = (text: string): boolean => text !== "" && consistsOf(text, TOKEN);

/** A value without white space around it, as a reader would hand it out. */
export const isFieldValue = (text: string): boolean =>
  consistsOf(text, IN_LINE) && !isWhiteSpace(text.charCodeAt(0)) && !isWhiteSpace(text.charCodeAt(text.length - 1));

/** `OWS = *( SP / HTAB )` */
export const isWhiteSpace = (code: number): boolean => code === SP || code === HTAB;

/** Whether a name is the one given in lower case. Most differ in length or at once, and nothing is made of them. */
export const isNamed = (name: string, lowerCaseName: string): boolean => {
  if (name.length !== lowerCaseName.length) return false;
  for (let at = 0; at < name.length; at += 1) {
    const code = name.charCodeAt(at);
    const isUpperCase = code >= 0x41 && code <= 0x5a;
    if ((isUpperCase ? code + 0x20 : code) !== lowerCaseName.charCodeAt(at)) return false;
  }
  return true;
};
