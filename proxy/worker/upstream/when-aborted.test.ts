import { expect, test, vi } from "vitest";
import { whenAborted } from "./when-aborted.ts";

test("what waits for a signal is done when it is aborted, once, and what was taken back is not", () => {
  const controller = new AbortController();
  const [first, second, gone] = [vi.fn<() => void>(), vi.fn<() => void>(), vi.fn<() => void>()];
  const cancelFirst = whenAborted(controller.signal, () => {
    first();
    cancelFirst();
  });
  const cancel = whenAborted(controller.signal, gone);
  whenAborted(controller.signal, second);
  whenAborted(new AbortController().signal, gone);
  cancel();
  expect(first).not.toHaveBeenCalled();
  controller.abort();
  expect(first).toHaveBeenCalledOnce();
  expect(second).toHaveBeenCalledOnce();
  expect(gone).not.toHaveBeenCalled();
});
