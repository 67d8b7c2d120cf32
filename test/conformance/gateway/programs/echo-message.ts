/** Both messages of `proto.EchoTestService`: a string in field 1 (protobuf, wire type 2). */
export interface EchoMessage {
  readonly message: string;
}

export const encodeMessage = ({ message }: EchoMessage): Buffer => {
  const bytes = Buffer.from(message);
  return bytes.length === 0 ? bytes : Buffer.concat([Buffer.of(0x0a, ...varint(bytes.length)), bytes]);
};

/** The string in field 1; other fields are no part of this protocol. @throws Error when it is something else */
export const decodeMessage = (message: Buffer): EchoMessage => {
  if (message.length === 0) return { message: "" };
  if (message[0] !== 0x0a) throw new Error("not a message with one string");
  let [length, shift, at] = [0, 0, 1];
  for (let byte = 0x80; byte >= 0x80; shift += 7) {
    byte = message.readUInt8(at++);
    length |= (byte & 0x7f) << shift;
  }
  return { message: message.subarray(at, at + length).toString() };
};

const varint = (value: number): readonly number[] =>
  value < 0x80 ? [value] : [(value & 0x7f) | 0x80, ...varint(value >>> 7)];

export const ECHO_METHOD = "/proto.EchoTestService/Echo";
