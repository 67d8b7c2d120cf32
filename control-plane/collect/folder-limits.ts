/** How much of a folder is read. Each bound has its own message, so that whoever meets it knows which one it was. */
export interface FolderLimits {
  readonly maxFileBytes: number;
  readonly maxDocumentBytes: number;
  readonly maxFiles: number;
  /** Folders inside folders. */
  readonly maxFolderDepth: number;
  /** Uses of YAML anchors in one document: a few lines of them can unfold to gigabytes. */
  readonly maxAliases: number;
  /** Maps and lists inside each other in one document. */
  readonly maxNesting: number;
}

export const DEFAULT_FOLDER_LIMITS: FolderLimits = {
  maxFileBytes: 16 * 2 ** 20,
  // Parsing takes about 0.6 s a MiB and cannot be interrupted. An API server stores objects up to 1.5 MiB.
  maxDocumentBytes: 2 * 2 ** 20,
  maxFiles: 10_000,
  maxFolderDepth: 16,
  maxAliases: 100,
  // Deeper than any Kubernetes object, and far from the end of the stack.
  maxNesting: 64,
};
