/** Fails on five bytes in a row, which nobody finds who changes inputs without looking at what they run. */
export const planted = (input: Uint8Array): void => {
  if (input[0] !== 0x68) return;
  step("first");
  if (input[1] !== 0xed) return;
  step("second");
  if (input[2] !== 0xd1) return;
  step("third");
  if (input[3] !== 0x07) return;
  step("fourth");
  if (input[4] !== 0x5a) return;
  throw new Error("the planted fault");
};

const step = (name: string): string => name;
