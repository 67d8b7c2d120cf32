/** What is waited for more eagerly comes first. */
export type Priority = "first" | "renewal";

interface Job {
  readonly run: () => Promise<void>;
}

/** Runs a few jobs at the same time, the urgent ones first. A job must not throw. */
export class RequestQueue {
  readonly #maxConcurrent: number;
  readonly #waiting: Readonly<Record<Priority, Set<Job>>> = { first: new Set(), renewal: new Set() };
  #running = 0;

  constructor(maxConcurrent: number) {
    this.#maxConcurrent = maxConcurrent;
  }

  /** @returns how to take the job back while it has not begun */
  add(priority: Priority, run: () => Promise<void>): () => void {
    const job = { run };
    this.#waiting[priority].add(job);
    this.#next();
    return () => this.#waiting[priority].delete(job);
  }

  #next(): void {
    while (this.#running < this.#maxConcurrent) {
      const queue = this.#waiting.first.size > 0 ? this.#waiting.first : this.#waiting.renewal;
      const [job] = queue;
      if (!job) return;
      queue.delete(job);
      this.#running++;
      void job.run().finally(() => {
        this.#running--;
        this.#next();
      });
    }
  }
}
