/** Classes and types of ASN.1 values (X.690 section 8.1.2), as far as certificates use them. */

export const UNIVERSAL = 0x00;
export const CONTEXT = 0x80;

export const BOOLEAN = 1;
export const INTEGER = 2;
export const BIT_STRING = 3;
export const OCTET_STRING = 4;
export const OBJECT_IDENTIFIER = 6;
export const UTF8_STRING = 12;
export const SEQUENCE = 16;
export const SET = 17;
export const UTC_TIME = 23;
export const GENERALIZED_TIME = 24;
