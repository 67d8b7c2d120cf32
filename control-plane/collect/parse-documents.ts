import { type Document, parseDocument } from "yaml";
import { err, ok, type Result } from "#mesh/result.ts";
import type { Problem } from "#mesh/objects/reader.ts";
import { errorText } from "../log.ts";
import { checkNodes } from "./check-nodes.ts";
import type { FolderLimits } from "./folder-limits.ts";

/** One document of a file: its value as plain JSON, or everything that keeps it from being one. */
export interface ParsedDocument {
  /** 1 for the first. Empty ones are not counted. */
  readonly number: number;
  readonly value: Result<unknown, readonly Problem[]>;
}

/** A document's text, and the number of the line in the file that it starts at. */
interface Chunk {
  readonly text: string;
  readonly line: number;
}

/** As many problems of one document as a person would read. */
const MAX_SYNTAX_PROBLEMS = 3;

/**
 * Parses the documents of a YAML file (1.2, with the merge keys that kubectl knows), one at a time. JSON is YAML. A mistake in
 * one document never changes another: the text is cut at the document markers first, which YAML allows in no other place.
 */
export function* parseDocuments(text: string, limits: FolderLimits): Generator<ParsedDocument> {
  let number = 0;
  for (const chunk of cutDocuments(text)) {
    const value = parseChunk(chunk, limits);
    if (value.ok && value.value === null) continue;
    number += 1;
    yield { number, value };
  }
}

/** Cuts before each line `---` and after each line `...`. Directives (`%YAML 1.2`) stay with the document they precede. */
const cutDocuments = function* (text: string): Generator<Chunk> {
  let start = 0;
  let line = 1;
  for (const { 0: marker, index } of text.matchAll(/^(?:---(?=[ \t\r\n]|$)|\.\.\.[ \t]*\r?\n)/gm)) {
    const end = marker === "---" ? index : index + marker.length;
    const before = text.slice(start, end);
    if (/^%/m.test(before) && isBlank(before)) continue;
    yield { text: before, line };
    line += countLines(before);
    start = end;
  }
  yield { text: text.slice(start), line };
};

/** Nothing but comments, directives and space. */
const isBlank = (text: string): boolean => !/^[ \t]*[^ \t\r\n#%]/m.test(text);

const countLines = (text: string): number => text.split("\n").length - 1;

const parseChunk = (chunk: Chunk, limits: FolderLimits): Result<unknown, readonly Problem[]> => {
  if (isBlank(chunk.text)) return ok(null);
  const bytes = Buffer.byteLength(chunk.text);
  if (bytes > limits.maxDocumentBytes) {
    const message = `line ${chunk.line}: a document of ${bytes} bytes is larger than ${limits.maxDocumentBytes}; split it`;
    return err([{ path: "", message }]);
  }
  // Checking for duplicate keys is ours: the library's takes quadratic time, minutes for a hundred thousand keys.
  const options = { merge: true, stringKeys: true, uniqueKeys: false, prettyErrors: false, logLevel: "error" } as const;
  const document = parseDocument(chunk.text, options);
  const syntax = syntaxProblems(document, chunk);
  const problems = syntax.length > 0 ? syntax : checkNodes(document, limits.maxNesting);
  return problems.length > 0 ? err(problems) : toJson(document, chunk, limits);
};

const syntaxProblems = (document: Document.Parsed, chunk: Chunk): readonly Problem[] =>
  [...document.errors, ...document.warnings].slice(0, MAX_SYNTAX_PROBLEMS).map(({ message, pos }) => {
    const before = chunk.text.slice(0, pos[0]);
    const column = pos[0] - before.lastIndexOf("\n");
    return { path: "", message: `line ${chunk.line + countLines(before)}, column ${column}: ${message}` };
  });

const toJson = (
  document: Document.Parsed,
  { line }: Chunk,
  limits: FolderLimits,
): Result<unknown, readonly Problem[]> => {
  try {
    return ok(document.toJS({ maxAliasCount: limits.maxAliases }));
  } catch (error) {
    // An unknown anchor, or anchors that unfold too far.
    return err([{ path: "", message: `document at line ${line}: ${errorText(error)}` }]);
  }
};
