import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { EnrolmentRecord } from "./enrolment.ts";
import type { Sysctls } from "./sysctls.ts";

/** A namespace that was captured: for whom, and what was changed in it. */
export interface CapturedNamespace {
  readonly record: EnrolmentRecord;
  readonly sysctls: Sysctls;
}

/**
 * Which namespaces were captured and what they were before, one file for each in the supervisor's runtime folder, so that a
 * supervisor whose predecessor was killed knows what it found there and what it left behind. A folder that cannot be written
 * costs that and nothing else: pods are enrolled all the same.
 */
export class CapturedNamespaces {
  readonly #folder: string;

  /** @param runDir a folder that ends with the machine's run, as the namespaces do; only its owner may write there */
  constructor(runDir: string) {
    this.#folder = join(runDir, "captured");
  }

  /** @param identity of the namespace. It may be another one by now: the kernel uses its numbers again. */
  read(identity: string): CapturedNamespace | undefined {
    try {
      const { record, sysctls } = JSON.parse(readFileSync(join(this.#folder, identity), "utf8")) as Written;
      return { record, sysctls: new Map(sysctls) };
    } catch {
      return undefined;
    }
  }

  write(identity: string, { record, sysctls }: CapturedNamespace): void {
    const written: Written = { record, sysctls: [...sysctls] };
    const unfinished = join(this.#folder, `${identity}.tmp`);
    try {
      if (!existsSync(this.#folder)) mkdirSync(this.#folder, { mode: 0o700 });
      writeFileSync(unfinished, JSON.stringify(written), { mode: 0o600 });
      renameSync(unfinished, join(this.#folder, identity));
    } catch {
      rmSync(unfinished, { force: true });
    }
  }

  forget(identity: string): void {
    rmSync(join(this.#folder, identity), { force: true });
  }

  /** The identities of all namespaces that are remembered. */
  get identities(): readonly string[] {
    try {
      return readdirSync(this.#folder);
    } catch {
      return [];
    }
  }
}

interface Written {
  readonly record: EnrolmentRecord;
  readonly sysctls: readonly (readonly [string, { readonly before: string; readonly set: string }])[];
}
