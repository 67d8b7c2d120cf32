/** An object `ns/name` for the folder of a mesh. JSON is YAML. */
export const declared = (apiVersion: string, kind: string, key: string, more: object = {}): string => {
  const [namespace, name] = key.split("/");
  const { metadata, ...rest } = more as { readonly metadata?: object };
  return `---\n${JSON.stringify({ apiVersion, kind, metadata: { namespace, name, ...metadata }, ...rest })}\n`;
};
